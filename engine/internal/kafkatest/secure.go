package kafkatest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/certtest"
)

// The user of secure brokers.
const (
	user     = "engine"
	password = "let-the-engine-in"
)

// The ways to log in to a secure broker.
const (
	Plain = "PLAIN"
	Scram = "SCRAM-SHA-512"
)

// secure is what clients need to reach a broker that does not let everybody in.
type secure struct{ ca, mechanism string }

// Secure makes clients show a user and a password, by the given mechanism, over
// TLS with the certificate of the authority.
func Secure(a certtest.Authority, mechanism string) Option {
	return func(t testing.TB, o *options) {
		t.Helper()
		o.secure = &secure{a.CA, mechanism}
		const listener = "listener.name.secure."
		o.set(listener+"ssl.keystore.type", "PEM")
		o.set(listener+"ssl.keystore.location", keystore(t, a))
		o.set("sasl.enabled.mechanisms", Plain+","+Scram)
		o.set(listener+"plain.sasl.jaas.config", "org.apache.kafka.common.security.plain.PlainLoginModule required user_"+user+`="`+password+`";`)
		o.set(listener+"scram-sha-512.sasl.jaas.config", "org.apache.kafka.common.security.scram.ScramLoginModule required;")
		o.format = append(o.format, "--add-scram", Scram+"=[name="+user+",password="+password+"]")
	}
}

// keystore is the key and the certificates in one file, as Kafka wants it.
func keystore(t testing.TB, a certtest.Authority) string {
	t.Helper()
	var all bytes.Buffer
	for _, file := range []string{a.Key, a.Cert, a.CA} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	path := filepath.Join(t.TempDir(), "keystore.pem")
	if err := os.WriteFile(path, all.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Guarded lets the user do only what [Server.Allow] says, and everybody
// everything on the broker's own listener.
func Guarded() Option {
	return func(_ testing.TB, o *options) {
		o.set("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
		o.set("super.users", "User:ANONYMOUS")
	}
}

func (s *secure) connection(bootstrap string) map[string]any {
	return map[string]any{
		"bootstrap.servers": bootstrap,
		"security.protocol": "SASL_SSL",
		"ssl.ca.location":   s.ca,
		"sasl.mechanism":    s.mechanism,
		"sasl.username":     user,
		"sasl.password":     password,
	}
}
