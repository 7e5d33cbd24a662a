package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func newSecretCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Keys that credentials are encrypted with, and encrypted passwords",
	}
	cmd.AddCommand(newSecretNewKeyCommand(a), newSecretRotateCommand(a), newSecretEncryptCommand(a), newSecretDecryptCommand(a))
	return cmd
}

const newKeyHelp = `Print a fresh key: 32 random bytes in base64.

Put it where only the engine can read it and name that place in the
configuration:

    "secrets": {"keys": [{"id": 1, "key": {"env": "ENGINE_SECRET_KEY"}}]}

With --id the key is printed as an entry of secrets.keys. The first key encrypts,
all decrypt; to change keys, see engine secret rotate.`

func newSecretNewKeyCommand(a *app) *cobra.Command {
	var id uint8
	cmd := &cobra.Command{
		Use:   "new-key",
		Short: "Print a fresh key",
		Long:  newKeyHelp,
		Args:  cobra.NoArgs,
	}
	cmd.Flags().Uint8Var(&id, "id", 0, "print an entry of secrets.keys with this `id`, 1 to 255")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.Flags().Changed("id") && id == 0 {
			return wrongUsage(errors.New("--id 0 is no id; use 1 to 255"))
		}
		return printNewKey(a.stdout, id)
	}
	return cmd
}

func printNewKey(w io.Writer, id uint8) error {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	text := base64.StdEncoding.EncodeToString(key)
	if id == 0 {
		_, err := fmt.Fprintln(w, text)
		return err
	}
	_, err := fmt.Fprintf(w, "{\"id\": %d, \"key\": %q}\n", id, text)
	return err
}
