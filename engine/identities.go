package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/datadis"
	"github.com/datadis-engine/datadis/engine/internal/login"
	"github.com/datadis-engine/datadis/engine/internal/pace"
	"github.com/datadis-engine/datadis/engine/internal/settings"
	"github.com/datadis-engine/datadis/engine/internal/vault"
	"github.com/datadis-engine/datadis/sdk"
)

// secrets is what encrypts credentials and names logins.
type secrets struct {
	sealer     *vault.Sealer
	identities *vault.Identities
}

// newSealer takes the configured keys. Local mode makes one for the process
// where none is configured, if nothing that it encrypts outlives the process.
func newSealer(s *settings.Settings) (*vault.Sealer, error) {
	var keys []vault.Key
	for _, k := range s.Secrets.Keys {
		key, err := vault.ParseKey(k.ID, k.Key.Reveal())
		if err != nil {
			return nil, wrongUsage(fmt.Errorf("secrets.keys: %w", err))
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 && encryptsNothing(s) {
		key, err := vault.NewKey(1)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	sealer, err := vault.NewSealer(keys...)
	if err != nil {
		return nil, wrongUsage(fmt.Errorf("secrets.keys: %w", err))
	}
	return sealer, nil
}

// encryptsNothing tells whether nothing that is encrypted leaves the process:
// logins lie in its own memory, the key of the ids in a file of its own.
func encryptsNothing(s *settings.Settings) bool { return s.Local().Users && s.Local().Devices }

// openSecrets makes ready what encrypts and names logins.
func openSecrets(ctx context.Context, s *settings.Settings, sv *servers) (*secrets, error) {
	sealer, err := newSealer(s)
	if err != nil {
		return nil, err
	}
	load := func() (*vault.Identities, error) { return vault.LoadIdentities(ctx, sv.store, sealer) }
	if s.Local().Devices { // the store is a file of this user's, and keys may not outlive the process
		load = func() (*vault.Identities, error) { return vault.LocalIdentities(ctx, sv.store) }
	}
	identities, err := load()
	if err != nil {
		return nil, err
	}
	return &secrets{sealer, identities}, nil
}

// sessions gives the steps the sessions of logins.
type sessions struct {
	client      *datadis.Client
	credentials *vault.Credentials
}

// Session implements lister.Sessions and downloader.Sessions.
func (s *sessions) Session(ctx context.Context, id string) (*datadis.Session, sdk.NIF, error) {
	credential, err := s.credentials.Get(ctx, id)
	if errors.Is(err, vault.ErrUnknownKey) {
		return nil, "", fmt.Errorf("%w: %w", login.ErrKeyUnknown, err)
	}
	if err != nil {
		return nil, "", err
	}
	session := s.client.Session(datadis.Login{ID: id, Username: credential.Username, Password: credential.Password})
	return session, sdk.NIF(credential.Username), nil
}

// newDatadis makes the client of Datadis.
func newDatadis(s *settings.Settings, sv *servers, now func() time.Time, log *slog.Logger) (*datadis.Client, error) {
	c := datadis.Default()
	c.BaseURL, c.API, c.Timeout = s.Datadis.BaseURL, s.Datadis.API, s.Datadis.Timeout
	c.MaxInFlight, c.MaxInFlightPerLogin = s.Datadis.MaxInFlight, s.Datadis.MaxInFlightPerLogin
	c.LoginRetry, c.Now, c.Logger = s.Datadis.LoginRetry, now, log
	if perSecond := s.Datadis.RequestsPerSecond; perSecond > 0 {
		c.Limiter = pace.New(sv.users, perSecond, log)
	}
	c.LoginTimeout = min(c.LoginTimeout, c.Timeout)
	return datadis.New(c)
}
