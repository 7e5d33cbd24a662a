package settings

import (
	"slices"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Datadis is how the API is asked.
type Datadis struct {
	BaseURL             string
	API                 string // v1 or v2
	Timeout             time.Duration
	MaxInFlight         int
	MaxInFlightPerLogin int
	RequestsPerSecond   float64 // 0: no limit
	Months              int
	Series              []string // of PT1H, PT15M, power, reactive
	RepeatAfter         time.Duration
	LoginRetry          time.Duration
}

func (d *Datadis) fields() []field {
	return []field{
		text(&d.BaseURL, "datadis.base_url", "https://datadis.es", "Where the API is.", isWebAddress),
		choice(&d.API, "datadis.api", "v2", "The version of the API's calls.", "v1", "v2"),
		duration(&d.Timeout, "datadis.timeout", 180*time.Second, positive, "How long one call may take."),
		integer(&d.MaxInFlight, "datadis.max_in_flight", 32, 1, 10_000, "Calls at the same time in one process."),
		integer(&d.MaxInFlightPerLogin, "datadis.max_in_flight_per_login", 2, 1, 100, "Calls at the same time with one login, over all processes."),
		number(&d.RequestsPerSecond, "datadis.requests_per_second", 0, 0, 10_000, "Calls that may start per second, over all processes; 0 sets no limit."),
		integer(&d.Months, "datadis.months", 24, 1, 24, "How many months back data is asked for. Datadis forgets what is older than two years."),
		list(&d.Series, "datadis.series", "PT1H,PT15M,power", "What is gathered: PT1H and PT15M (consumption by hours and quarter-hours), power (each month's maxima), reactive (reactive energy).", isSeries),
		duration(&d.RepeatAfter, "datadis.repeat_after", 24*time.Hour, positive, "How long Datadis refuses an identical query. Shorten it only against `engine simulate --repeat-after`."),
		duration(&d.LoginRetry, "datadis.login_retry", 30*time.Second, 0, "How long to wait before a refused login is tried once more."),
	}
}

// Redis is where the queues lie. One server may serve both.
type Redis struct {
	Users   Server // A: the users queue, the runs
	Devices Server // B: the devices queue, the ledger
}

// Server is how one Redis is reached.
type Server struct{ URL URL }

func (r *Redis) fields() []field {
	return []field{
		address(&r.Users.URL, "redis.users.url", "The Redis of the users queue and the runs: `redis://user:password@host:6379/0`; servers.md has the forms for TLS, Sentinel and Cluster."),
		address(&r.Devices.URL, "redis.devices.url", "The Redis of the devices queue and the ledger; may be the same server."),
	}
}

// Kafka is where the data goes.
type Kafka struct {
	Connection   Connection // librdkafka's properties
	StaticTopic  string
	ControlTopic string
	DeadTopic    string
	Raw          Raw
	Partitions   int
	Replication  int
	FinalMessage bool
}

// Raw is the topic of the response bodies as they were received.
type Raw struct {
	Enabled bool
	Topic   string
}

func (k *Kafka) fields() []field {
	return []field{
		connection(&k.Connection, "kafka.connection", "Properties handed to librdkafka as they are: `bootstrap.servers`, TLS, SASL and all."),
		text(&k.StaticTopic, "kafka.static_topic", "datadis.harm", "The topic of supplies and contracts.", isTopic),
		text(&k.ControlTopic, "kafka.control_topic", "datadis.runs", "The topic that says when runs start and finish.", isTopic),
		text(&k.DeadTopic, "kafka.dead_topic", "datadis.dead", "The topic of what could not be harmonized.", isTopic),
		boolean(&k.Raw.Enabled, "kafka.raw.enabled", true, "Whether response bodies are kept in Kafka as they came."),
		text(&k.Raw.Topic, "kafka.raw.topic", "datadis.raw", "The topic of the response bodies.", isTopic),
		integer(&k.Partitions, "kafka.partitions", 10, 1, 10_000, "Partitions of the topics that the engine creates; the control topic has one."),
		integer(&k.Replication, "kafka.replication", 1, 1, 100, "Replicas of the topics that the engine creates."),
		boolean(&k.FinalMessage, "kafka.final_message", false, "Whether the older end marker is also sent to each partition of the static topic, once per run."),
	}
}

// Plugins is where plugins and their configurations are found.
type Plugins struct {
	Paths     []string // folders, or single binaries
	ConfigDir string   // config_<name>.json
	Lock      string
	Locked    bool
	Limits    Limits
}

// Limits are those of each plugin's process; 0 sets none.
type Limits struct {
	Memory       int64 // bytes
	AddressSpace int64 // bytes
	OpenFiles    int
	CPUs         int
	Nice         int
}

func (p *Plugins) fields() []field {
	paths := list(&p.Paths, "plugins.paths", "", "Folders with files named `datadis-plugin-<name>`. By default the folder `plugins/` beside the engine's binary.", noneEmpty)
	paths.anchor = anchor
	return []field{
		paths,
		path(&p.ConfigDir, "plugins.config_dir", "plugins/secrets", "The folder of the plugins' own configurations, `config_<name>.json`."),
		path(&p.Lock, "plugins.lock", "plugins.lock.json", "The file that `engine plugins lock` writes."),
		boolean(&p.Locked, "plugins.locked", false, "Whether only plugins that equal the lock file are started."),
		memory(&p.Limits.Memory, "plugins.limits.memory", "Memory that each plugin written in Go tries to stay below, such as `512MiB`; 0 sets none. An instance's own file may say otherwise, for this and the other limits: `\"plugin\": {\"limits\": {…}}`."),
		memory(&p.Limits.AddressSpace, "plugins.limits.address_space", "Address space beyond which a plugin ends, such as `4GiB`; 0 sets none. A program in Go reserves about 1.5 GiB at once. On Linux only."),
		integer(&p.Limits.OpenFiles, "plugins.limits.open_files", 0, 0, 1_048_576, "Files and connections that a plugin may have open; 0 leaves the engine's own limit. On Linux only."),
		integer(&p.Limits.CPUs, "plugins.limits.cpus", 0, 0, 1024, "CPUs that a plugin written in Go uses at the same time; 0 sets no limit."),
		integer(&p.Limits.Nice, "plugins.limits.nice", 0, 0, 19, "How far plugins step back where the machine is busy, 1 to 19."),
	}
}

// Run is how a run is worked on.
type Run struct {
	Deadline     time.Duration
	Lease        time.Duration
	Workers      int // 0: as many as the calls in flight need; see Settings.Workers
	DrainTimeout time.Duration

	ProducerSilence time.Duration
	Keep            time.Duration

	Now time.Time // zero: the real time
}

func (r *Run) fields() []field {
	return []field{
		duration(&r.Deadline, "run.deadline", 20*time.Hour, positive, "How long a run may last; what is still waiting then is left to the next one."),
		duration(&r.Lease, "run.lease", 60*time.Second, time.Second, "How soon the work of a crashed process is taken up by another."),
		integer(&r.Workers, "run.workers", 0, 0, 10_000, "Supplies that one process works on at the same time, for each run. 0: twice datadis.max_in_flight, so that there is a call to make whenever one may be made."),
		duration(&r.DrainTimeout, "run.drain_timeout", 190*time.Second, 0, "How long calls in flight may go on after SIGTERM. Keep it above datadis.timeout: a call that is cut counts for Datadis."),
		duration(&r.ProducerSilence, "run.producer_silence", 10*time.Minute, time.Second, "After how long without a heartbeat a producer counts as lost; its run then ends without it, with outcome partial."),
		duration(&r.Keep, "run.keep", 14*24*time.Hour, time.Second, "How long the queues of a finished run stay in Redis; its summary and its dead letters stay for good."),
		instant(&r.Now, "run.now", "Simulated time: the clock that plans and records starts here. For trials only; leave it out for the real time."),
	}
}

// Secrets are the keys that credentials are encrypted with between processes.
type Secrets struct {
	Keys []Key // the first encrypts, all decrypt
}

func (s *Secrets) fields() []field {
	return []field{
		keyList(&s.Keys, "secrets.keys", "Keys that credentials are encrypted with, `{\"id\": 1, \"key\": \"…\"}` each: an id of 1 to 255 and 32 bytes in base64 or hex, as `engine secret new-key` prints. The first encrypts, all decrypt."),
	}
}

// HTTP is the address of the health checks, the metrics, the API and the page.
type HTTP struct {
	Listen string     // "off": none
	Token  sdk.Secret // empty: none
	Open   string     // probes, metrics or all: what needs no token
}

// Off tells whether nothing is to be served.
func (h HTTP) Off() bool { return h.Listen == "off" }

func (h *HTTP) fields() []field {
	return []field{
		text(&h.Listen, "http.listen", "127.0.0.1:8080", "Where health checks, metrics and the page are served; `off` serves none.", isListenAddress),
		secret(&h.Token, "http.token", "Token that requests have to carry, as `Authorization: Bearer …` or as the password in a browser. Without a token, what needs one is served only if `http.listen` is a loopback address.", isToken),
		choice(&h.Open, "http.open", "probes", "What is served without the token: probes (`/livez` and `/readyz`), metrics (those and `/metrics`), all.", "probes", "metrics", "all"),
	}
}

// Log is what is logged and how.
type Log struct {
	Level       string // debug, info, warn or error
	Format      string // auto, json or text
	Identifiers string // masked or clear
}

func (l *Log) fields() []field {
	return []field{
		choice(&l.Level, "log.level", "info", "The least important lines to log.", "debug", "info", "warn", "error"),
		choice(&l.Format, "log.format", "auto", "How lines look: auto is short text on a terminal and JSON elsewhere.", "auto", "json", "text"),
		choice(&l.Identifiers, "log.identifiers", "masked", "Whether CUPS and NIFs, which are personal data, are masked in the log.", "masked", "clear"),
	}
}

// Traces is where spans of what the engine does are sent.
type Traces struct {
	Endpoint string // the whole address; "": they are off
}

func (t *Traces) fields() []field {
	return []field{
		text(&t.Endpoint, "traces.endpoint", "", "Where traces are sent by OTLP over HTTP, the whole address: `http://localhost:4318/v1/traces`. They are off without it, unless one of the standard variables `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` and `OTEL_EXPORTER_OTLP_ENDPOINT` is set.", isWebAddressIfAny),
	}
}

// fields is the table of all settings, bound to this value.
func (s *Settings) fields() []field {
	return slices.Concat(
		s.Datadis.fields(),
		s.Redis.fields(),
		s.Kafka.fields(),
		s.Plugins.fields(),
		s.Run.fields(),
		s.Secrets.fields(),
		[]field{path(&s.DataDir, "data_dir", "data", "The folder of what local mode keeps: ledger, dead letters, summaries of runs, topics.")},
		s.HTTP.fields(),
		s.Log.fields(),
		s.Traces.fields(),
	)
}
