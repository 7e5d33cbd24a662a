package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/datadis-engine/datadis/sdk/password"
)

const encryptHelp = `Encrypt a password of Datadis as the projects' databases keep it: one line of
text, another one each time, that only the secret turns back.

The secret is a text of the project's own, the same that the source's
configuration names. Neither it nor the password is ever an argument. Each comes
from a file or an environment variable, or from standard input; on a terminal
the command asks for it and does not show what is typed.

The format: AES-256-CBC over the password filled up with spaces, the key
scrypt(secret, salt, N=16384, r=8, p=1); then base64 of the ciphertext, of the
16-byte salt and of the 16-byte IV, one after the other.`

const encryptExamples = `  engine secret encrypt
  engine secret encrypt --secret-file project.secret <password.txt
  engine secret encrypt --secret-env PROJECT_SECRET --password-env DATADIS_USER_PASSWORD`

const decryptExamples = `  engine secret decrypt --secret-file project.secret --text-file encrypted.txt
  echo "$TEXT" | engine secret decrypt --secret-env PROJECT_SECRET`

func newSecretEncryptCommand(a *app) *cobra.Command {
	secret, plain := &hiddenInput{name: "secret"}, &hiddenInput{name: "password"}
	cmd := &cobra.Command{
		Use:     "encrypt",
		Short:   "Encrypt a password for a project's database",
		Long:    encryptHelp,
		Example: encryptExamples,
		Args:    cobra.NoArgs,
	}
	secret.flags(cmd, "the project's secret")
	plain.flags(cmd, "the password")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.convert(cmd.Context(), secret, plain, password.Encrypt)
	}
	return cmd
}

func newSecretDecryptCommand(a *app) *cobra.Command {
	secret, text := &hiddenInput{name: "secret"}, &hiddenInput{name: "text"}
	cmd := &cobra.Command{
		Use:   "decrypt",
		Short: "Decrypt a password of a project's database",
		Long: "Print the password that `engine secret encrypt`, or a program that knows the same\n" +
			"format, encrypted with this secret.",
		Example: decryptExamples,
		Args:    cobra.NoArgs,
	}
	secret.flags(cmd, "the project's secret")
	text.flags(cmd, "the encrypted password")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.convert(cmd.Context(), secret, text, password.Decrypt)
	}
	return cmd
}

// convert reads both values and prints what comes out.
func (a *app) convert(ctx context.Context, secret, input *hiddenInput, convert func(secret, text string) (string, error)) error {
	if _, terminal := a.asks(); !terminal && !secret.named() && !input.named() {
		return wrongUsage(fmt.Errorf("the secret and the %s cannot both come from standard input; say where one is with --secret-file or --secret-env", input.name))
	}
	key, err := secret.read(ctx, a)
	if err != nil {
		return err
	}
	if key == "" {
		return wrongUsage(errors.New("the secret is empty"))
	}
	value, err := input.read(ctx, a)
	if err != nil {
		return err
	}
	out, err := convert(key, value)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, out)
	return err
}

// asks tells whether standard input is a terminal, and which.
func (a *app) asks() (terminal int, yes bool) {
	f, ok := a.stdin.(*os.File)
	if !ok {
		return 0, false
	}
	return int(f.Fd()), term.IsTerminal(int(f.Fd()))
}
