package settings

import (
	"strings"
	"testing"

	"github.com/datadis-engine/datadis/engine/internal/badinput"
)

// mistakes are configurations that people write, and what they are told. DIR
// stands for the folder of the file.
var mistakes = []struct {
	name    string
	config  string
	environ string // variables, separated by newlines
	want    string // a line per problem
}{
	{name: "no JSON at all", config: `datadis:`, want: "DIR/config.json:1: is not valid JSON: invalid character 'd' at start of value"},
	{name: "a comma is missing", config: "{\n\"data_dir\": \"a\"\n\"log\": {}}", want: "DIR/config.json:3: is not valid JSON: invalid character '\"' after object value (expecting ',' or '}')"},
	{name: "a comma too many", config: "{\n\"data_dir\": \"a\",\n}", want: "DIR/config.json:2: is not valid JSON: there is a comma too many"},
	{name: "cut off", config: "{\n\"log\": {\n", want: "DIR/config.json:3: is not valid JSON: the end is missing"},
	{name: "empty file", config: " ", want: "DIR/config.json:1: is not valid JSON: the end is missing"},
	{name: "a key twice", config: "{\"log\": {\"level\": \"info\",\n\"level\": \"warn\"}}", want: "DIR/config.json:2: is not valid JSON: \"level\" stands there twice"},
	{name: "two documents", config: "{}\n{}", want: "DIR/config.json:1: is not valid JSON: something follows the end of the document"},
	{name: "a list", config: `[]`, want: "DIR/config.json:1: is a list; the configuration is an object"},

	{name: "misspelt key", config: `{"datadis": {"timout": "3s"}}`, want: "DIR/config.json:1: datadis.timout: is no setting; did you mean datadis.timeout?"},
	{name: "misspelt section", config: `{"datadi": {"timeout": "3s"}}`, want: "DIR/config.json:1: datadi: is no setting; did you mean datadis?"},
	{name: "key in the wrong section", config: `{"run": {"timeout": "3s"}}`, want: "DIR/config.json:1: run.timeout: is no setting; did you mean datadis.timeout?"},
	{name: "key like none", config: `{"colour": "red"}`, want: "DIR/config.json:1: colour: is no setting"},
	{name: "section that is a text", config: `{"redis": "redis://h"}`, want: "DIR/config.json:1: redis: is a text; it is a section, write an object"},
	{name: "section that is null", config: `{"kafka": null}`, want: "DIR/config.json:1: kafka: is null; it is a section, write an object"},

	{name: "size in powers of ten", config: `{"plugins": {"limits": {"memory": "512MB"}}}`, want: "DIR/config.json:1: plugins.limits.memory: \"512MB\" is no size; write it as 512MiB or 4GiB"},
	{name: "number for a size", config: `{"plugins": {"limits": {"memory": 512}}}`, want: "DIR/config.json:1: plugins.limits.memory: a number stands here, a size such as 512MiB is expected"},
	{name: "number for a duration", config: `{"datadis": {"timeout": 180}}`, want: "DIR/config.json:1: datadis.timeout: a number stands here, a duration such as 30s is expected"},
	{name: "duration without a unit", config: `{"datadis": {"timeout": "180"}}`, want: `DIR/config.json:1: datadis.timeout: "180" is no duration; write it as 30s, 5m or 24h`},
	{name: "duration of nothing", config: `{"datadis": {"timeout": "0s"}}`, want: `DIR/config.json:1: datadis.timeout: "0s" is not positive`},
	{name: "lease too short", config: `{"run": {"lease": "1ms"}}`, want: `DIR/config.json:1: run.lease: "1ms" is too short; at least 1s`},
	{name: "null for a duration", config: `{"run": {"lease": null}}`, want: `DIR/config.json:1: run.lease: null stands here, a duration such as 30s is expected`},
	{name: "no instant", config: `{"run": {"now": "yesterday"}}`, want: `DIR/config.json:1: run.now: "yesterday" is no instant; write it as 2026-03-01T06:00:00Z`},
	{name: "too many months", config: `{"datadis": {"months": 36}}`, want: "DIR/config.json:1: datadis.months: 36 is too large; at most 24"},
	{name: "fewer workers than none", config: `{"run": {"workers": -1}}`, want: "DIR/config.json:1: run.workers: -1 is too small; at least 0"},
	{name: "half a worker", config: `{"run": {"workers": 1.5}}`, want: "DIR/config.json:1: run.workers: 1.5 is not a whole number"},
	{name: "text for a number", config: `{"run": {"workers": "four"}}`, want: "DIR/config.json:1: run.workers: a text stands here, a number is expected"},
	{name: "text for a boolean", config: `{"kafka": {"final_message": "yes"}}`, want: "DIR/config.json:1: kafka.final_message: a text stands here, true or false is expected"},
	{name: "unknown choice", config: `{"log": {"level": "inof"}}`, want: `DIR/config.json:1: log.level: "inof" is none of debug, info, warn, error; did you mean info?`},
	{name: "unknown version", config: `{"datadis": {"api": "v9"}}`, want: `DIR/config.json:1: datadis.api: "v9" is none of v1, v2; did you mean v1?`},
	{name: "address without a scheme", config: `{"datadis": {"base_url": "datadis.es"}}`, want: `DIR/config.json:1: datadis.base_url: "datadis.es" is no address; write it as https://datadis.es`},
	{name: "unknown series", config: `{"datadis": {"series": ["PT1H", "PT30M"]}}`, want: `DIR/config.json:1: datadis.series: "PT30M" is none of PT1H, PT15M, power, reactive`},
	{name: "series twice", config: `{"datadis": {"series": ["power", "power"]}}`, want: `DIR/config.json:1: datadis.series: "power" stands there twice`},
	{name: "no series", config: `{"datadis": {"series": []}}`, want: `DIR/config.json:1: datadis.series: is empty`},
	{name: "number in a list", config: `{"datadis": {"series": ["PT1H", 15]}}`, want: `DIR/config.json:1: datadis.series: entry 2: a number stands here, a text is expected`},
	{name: "text for a list", config: `{"plugins": {"paths": "bin"}}`, want: `DIR/config.json:1: plugins.paths: a text stands here, a list is expected`},
	{name: "topic name", config: `{"kafka": {"raw": {"topic": "raw data"}}}`, want: `DIR/config.json:1: kafka.raw.topic: "raw data" is no topic name; use up to 249 letters, digits, dots, underscores and dashes`},
	{name: "one topic for two", config: "{\"kafka\": {\"static_topic\": \"t\",\n\"dead_topic\": \"t\"}}", want: `DIR/config.json:2: kafka.dead_topic: "t" is also the kafka.static_topic; give each topic its own name`},
	{name: "no bootstrap servers", config: `{"kafka": {"connection": {"acks": "all"}}}`, want: "DIR/config.json:1: kafka.connection: has no bootstrap.servers"},
	{name: "property that is a list", config: `{"kafka": {"connection": {"bootstrap.servers": ["a"]}}}`, want: "DIR/config.json:1: kafka.connection: bootstrap.servers is a list; write a text, a number, true or false"},
	{name: "redis without a scheme", config: `{"redis": {"users": {"url": ":hunter2@host:6379"}}}`, want: "DIR/config.json:1: redis.users.url: is no address; write it as redis://user:password@host:6379/0"},
	{name: "listening nowhere", config: `{"http": {"listen": "8080"}}`, want: `DIR/config.json:1: http.listen: "8080" is no address to listen on; write it as 127.0.0.1:8080, :8080 or off`},
	{name: "a token that is easy to guess", config: `{"http": {"token": "hunter2"}}`, want: "DIR/config.json:1: http.token: is shorter than 16 characters; `openssl rand -hex 32` makes a good one"},
	{name: "a token that no header carries", config: `{"http": {"token": "hunter2 hunter2 hunter2"}}`, want: `DIR/config.json:1: http.token: has characters that no header can carry`},
	{name: "listening too high", config: `{"http": {"listen": ":80800"}}`, want: `DIR/config.json:1: http.listen: ":80800" has no port between 0 and 65535`},
	{name: "empty folder", config: `{"data_dir": ""}`, want: `DIR/config.json:1: data_dir: "" is empty`},

	{name: "reference to a file that is not there", config: `{"redis": {"users": {"url": {"file": "none"}}}}`, want: "DIR/config.json:1: redis.users.url: the file DIR/none cannot be read: no such file or directory"},
	{name: "reference to a variable that is not set", config: `{"redis": {"users": {"url": {"env": "NONE"}}}}`, want: "DIR/config.json:1: redis.users.url: the environment variable NONE is not set"},
	{name: "reference with a slip", config: `{"redis": {"users": {"url": {"flie": "x"}}}}`, want: "DIR/config.json:1: redis.users.url: an object stands here, an address is expected"},
	{name: "reference to what does not fit", config: `{"datadis": {"timeout": {"env": "HOME"}}}`, environ: "HOME=hunter2", want: "DIR/config.json:1: datadis.timeout: the value is no duration; write it as 30s, 5m or 24h"},

	{name: "key too short", config: `{"secrets": {"keys": [{"id": 1, "key": "hunter2"}]}}`, want: "DIR/config.json:1: secrets.keys: key 1 is not 32 bytes in base64 or hex; `engine secret new-key` prints one"},
	{name: "several bad keys", config: `{"secrets": {"keys": [{"id": 1, "key": "` + aKey + `"}, {"id": 1, "key": "` + aKey + `"}, {"id": 256, "key": "x"}, {"id": 3}, "` + aKey + `", {"id": 4, "kee": ""}]}}`,
		want: "DIR/config.json:1: secrets.keys: key 2 has id 1, which another key has\n" +
			"DIR/config.json:1: secrets.keys: key 3 has no id between 1 and 255\n" +
			"DIR/config.json:1: secrets.keys: key 4 lacks its id or its key\n" +
			"DIR/config.json:1: secrets.keys: key 5 is a text; write it as {\"id\": 1, \"key\": \"…\"}\n" +
			"DIR/config.json:1: secrets.keys: key 6 has an unknown \"kee\"; it has id and key"},

	{name: "variable that is no number", environ: "DATADIS_RUN_WORKERS=many", want: "DATADIS_RUN_WORKERS: run.workers: many is no number"},
	{name: "variable that is no boolean", environ: "DATADIS_KAFKA_RAW_ENABLED=1", want: "DATADIS_KAFKA_RAW_ENABLED: kafka.raw.enabled: 1 is neither true nor false"},
	{name: "variable that is no object", environ: "DATADIS_KAFKA_CONNECTION=host:9092", want: "DATADIS_KAFKA_CONNECTION: kafka.connection: a text stands here, an object of librdkafka's properties is expected"},
	{name: "variable of keys", environ: "DATADIS_SECRETS_KEYS=" + aKey, want: "DATADIS_SECRETS_KEYS: secrets.keys: a text stands here, a list of keys is expected"},
	{name: "property without servers", environ: "DATADIS_KAFKA_CONNECTION_SASL_PASSWORD=hunter2", want: "DATADIS_KAFKA_CONNECTION_SASL_PASSWORD: kafka.connection: has no bootstrap.servers"},
	{name: "property of nothing", environ: "DATADIS_KAFKA_CONNECTION_BOOTSTRAP_SERVERS={\"file\": \"/none\"}", want: "DATADIS_KAFKA_CONNECTION_BOOTSTRAP_SERVERS: kafka.connection: the file /none cannot be read: no such file or directory"},

	{name: "everything at once", config: "{\n\"colour\": 1,\n\"run\": {\"lease\": 5,\n\"workers\": -1}}", environ: "DATADIS_LOG_FORMAT=xml",
		want: "DIR/config.json:2: colour: is no setting\n" +
			"DIR/config.json:3: run.lease: a number stands here, a duration such as 30s is expected\n" +
			"DIR/config.json:4: run.workers: -1 is too small; at least 0\n" +
			"DATADIS_LOG_FORMAT: log.format: xml is none of auto, json, text"},
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range mistakes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.config, strings.Split(c.environ, "\n")...)
			s, _, err := w.load()
			if err == nil || s != nil {
				t.Fatal("nothing was found to be wrong")
			}
			got := strings.ReplaceAll(err.Error(), w.dir, "DIR")
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			for _, secret := range []string{"hunter2", aKey} {
				if strings.Contains(got, secret) {
					t.Errorf("%s shows a secret", got)
				}
			}
		})
	}
}

func TestUnknownFlagIsAMistakeInTheProgram(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a flag for a setting that does not exist went unnoticed")
		}
	}()
	w := newWorld(t, "")
	w.flags = []Flag{{Name: "--x", Key: "x"}}
	_, _, _ = w.load()
}

// No configuration makes the loader panic, and what loads can be shown.
func FuzzLoad(f *testing.F) {
	f.Add(complete, "")
	for _, c := range mistakes {
		f.Add(c.config, c.environ)
	}
	f.Fuzz(func(t *testing.T, config, environ string) {
		if strings.Contains(config, `"file"`) || strings.Contains(environ, `"file"`) {
			t.Skip("it would read this machine's files")
		}
		s := &Settings{origins: map[string]string{}}
		l := loader{environ: newEnviron(strings.Split(environ, "\n")), settings: s, fields: s.fields()}
		l.defaults("plugins")
		l.document("config.json", []byte(config))
		l.environment()
		if len(l.problems) > 0 {
			for _, p := range l.problems {
				if p.Error() == "" {
					t.Error("a problem without words")
				}
			}
			return
		}
		l.check()
		if _, err := s.Masked(); err != nil {
			t.Error(err)
		}
		if s.Datadis.Timeout <= 0 || s.Run.Workers < 0 || len(s.Datadis.Series) == 0 {
			t.Errorf("loaded, and not usable: %+v", s)
		}
	})
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	cases := make([]badinput.Case, len(mistakes))
	for i, m := range mistakes { // that this is what is said, TestMistakes shows
		cases[i] = badinput.Case{Name: m.name, Says: m.want}
	}
	badinput.Golden(t, *update, cases, "hunter2", aKey)
}
