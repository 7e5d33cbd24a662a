package settings

import (
	"errors"
	"fmt"
	"strings"
)

// Settings is the engine's whole configuration.
type Settings struct {
	Datadis Datadis
	Redis   Redis
	Kafka   Kafka
	Plugins Plugins
	Run     Run
	Secrets Secrets
	DataDir string // where local mode keeps its files
	HTTP    HTTP
	Log     Log
	Traces  Traces

	file    string
	origins map[string]string // key → where it was set; defaults are not in it
	holders []string          // files that hold secrets
}

// Flag is a setting given on the command line. It outweighs the environment,
// which outweighs the file.
type Flag struct {
	Name  string // as typed: --log-level
	Key   string // log.level
	Value string
}

// Options says where the configuration comes from.
type Options struct {
	// File was asked for by name. If it is "", $CONF_FILE is taken, else
	// config.json where that exists.
	File string
	// Environ is the environment, as [os.Environ] gives it.
	Environ []string
	// Flags come last.
	Flags []Flag
	// PluginsDir is where plugins lie unless plugins.paths says otherwise.
	PluginsDir string
}

// Load reads and checks the configuration. The warnings are sentences about
// what was ignored, though it looks meant. The error joins a [*Problem] for
// each thing that is wrong; the settings are then nil.
func Load(o Options) (*Settings, []string, error) {
	s := &Settings{origins: map[string]string{}}
	l := loader{environ: newEnviron(o.Environ), settings: s, fields: s.fields()}
	l.defaults(o.PluginsDir)
	l.file(o.File)
	l.environment()
	l.standardTraces()
	for _, flag := range o.Flags {
		l.flag(flag)
	}
	if len(l.problems) == 0 {
		l.check()
	}
	if len(l.problems) > 0 {
		return nil, l.warnings, errors.Join(l.problems...)
	}
	return s, l.warnings, nil
}

// File is the file that was read, "" if there was none.
func (s *Settings) File() string { return s.file }

// Origin says where a setting was made: "config.json:3", the name of an
// environment variable or of a flag; "" if it has its default.
func (s *Settings) Origin(key string) string { return s.origins[key] }

// SecretFiles are the files that secrets were read from: those that are referred
// to, and the configuration itself where it holds one.
func (s *Settings) SecretFiles() []string { return s.holders }

// Local tells which servers are left out and so embedded by `engine run`.
type Local struct{ Users, Devices, Kafka bool }

// Any tells whether something is embedded.
func (l Local) Any() bool { return l.Users || l.Devices || l.Kafka }

// Local tells which servers are left out.
func (s *Settings) Local() Local {
	return Local{
		Users:   s.Redis.Users.URL.Empty(),
		Devices: s.Redis.Devices.URL.Empty(),
		Kafka:   len(s.Kafka.Connection) == 0,
	}
}

// Workers is how many supplies a process works on at the same time. Between two
// calls a supply is kept, published and recorded, and makes none: more supplies
// than calls in flight keep those going.
func (s *Settings) Workers() int {
	if s.Run.Workers > 0 {
		return s.Run.Workers
	}
	return 2 * s.Datadis.MaxInFlight
}

// RequireServers reports everything that processes which share their work over
// servers need and that is left out: both Redis addresses, Kafka and a key.
func (s *Settings) RequireServers() error {
	var missing []error
	need := func(missed bool, key, why string) {
		if missed {
			name := EnvironmentName(key)
			missing = append(missing, &Problem{Key: key, Message: fmt.Sprintf("is not set, %s; set it in the file or as %s", why, name)})
		}
	}
	local := s.Local()
	need(local.Users, "redis.users.url", "and the users queue lies there")
	need(local.Devices, "redis.devices.url", "and the devices queue and the ledger lie there")
	need(local.Kafka, "kafka.connection", "and the data goes there")
	need(len(s.Secrets.Keys) == 0, "secrets.keys", "and credentials are encrypted with it (`engine secret new-key` makes one)")
	return errors.Join(missing...)
}

// EnvironmentName is the environment variable that sets a key.
func EnvironmentName(key string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}
