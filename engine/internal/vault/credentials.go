package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/sdk"
)

// Credentials keeps the logins of one run (invariant 16), encrypted, in the Redis of the users
// queue. They are gone when the run is sealed, or past its deadline.
type Credentials struct {
	client redis.UniversalClient
	sealer *Sealer
	run    string
	life   time.Duration
}

// Credential is what a login needs.
type Credential struct {
	Username string
	Password sdk.Secret
}

// ErrNoCredentials says that the run has no such login, or is over.
var ErrNoCredentials = errors.New("the credentials of the login are gone")

// NewCredentials returns the credentials of a run, which lives that long.
func NewCredentials(client redis.UniversalClient, sealer *Sealer, run string, life time.Duration) *Credentials {
	return &Credentials{client: client, sealer: sealer, run: run, life: life}
}

// The name of a run's logins in Redis, in the slot of its queue.
const (
	credentialsPrefix = "dd:"
	credentialsStart  = "{u:"
	credentialsEnd    = "}:cred"
)

func credentialsKey(run string) string {
	return credentialsPrefix + credentialsStart + run + credentialsEnd
}

func (c *Credentials) key() string { return credentialsKey(c.run) }

func (c *Credentials) purpose(login string) string { return loginPurpose(c.run, login) }

// loginPurpose binds a ciphertext to its run and login.
func loginPurpose(run, login string) string { return "credentials " + run + " " + login }

// stored is what is encrypted. The password's type hides it from JSON.
type stored struct {
	Username string `json:"u"`
	Password string `json:"p"`
}

// Put stores a login.
func (c *Credentials) Put(ctx context.Context, login, username string, password sdk.Secret) error {
	text, err := json.Marshal(stored{username, password.Reveal()})
	if err != nil {
		return fmt.Errorf("store the credentials of a login: %w", err)
	}
	sealed, err := c.sealer.Seal(text, c.purpose(login))
	if err != nil {
		return fmt.Errorf("store the credentials of a login: %w", err)
	}
	_, err = c.client.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.HSet(ctx, c.key(), login, sealed)
		tx.PExpire(ctx, c.key(), c.life)
		return nil
	})
	if err != nil {
		return fmt.Errorf("store the credentials of a login: %w", err)
	}
	return nil
}

// Get reads a login. It fails with ErrNoCredentials, ErrUnknownKey and
// ErrBroken.
func (c *Credentials) Get(ctx context.Context, login string) (Credential, error) {
	sealed, err := c.client.HGet(ctx, c.key(), login).Bytes()
	if errors.Is(err, redis.Nil) {
		return Credential{}, ErrNoCredentials
	}
	if err != nil {
		return Credential{}, fmt.Errorf("read the credentials of a login: %w", err)
	}
	text, err := c.sealer.Open(sealed, c.purpose(login))
	if err != nil {
		return Credential{}, fmt.Errorf("the credentials of a login: %w", err)
	}
	var s stored
	if err := json.Unmarshal(text, &s); err != nil {
		return Credential{}, ErrBroken // the cause may show them
	}
	return Credential{Username: s.Username, Password: sdk.NewSecret(s.Password)}, nil
}

// Erase drops the logins of the run.
func (c *Credentials) Erase(ctx context.Context) error {
	if err := c.client.Del(ctx, c.key()).Err(); err != nil {
		return fmt.Errorf("erase the credentials of run %s: %w", c.run, err)
	}
	return nil
}
