package host

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestLogLines(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ line, want string }{
		"slog":          {`{"time":"2026-01-01T00:00:00Z","level":"WARN","msg":"low","n":3}`, "WARN low [n=3]"},
		"slog between":  {`{"level":"INFO+2","msg":"x"}`, "INFO+2 x []"},
		"hclog":         {`{"@level":"error","@message":"broke","@timestamp":"2026-01-01","@module":"db"}`, "ERROR broke [@module=db]"},
		"zap":           {`{"level":"dpanic","ts":1.5,"msg":"odd"}`, "ERROR odd []"},
		"logrus":        {`{"level":"warning","msg":"hm","time":"…"}`, "WARN hm []"},
		"zerolog":       {`{"level":"trace","message":"in","time":1}`, "DEBUG in []"},
		"cloud":         {`{"severity":"CRITICAL","message":"down","timestamp":"…"}`, "ERROR down []"},
		"pino":          {`{"level":40,"msg":"low"}`, "WARN low []"},
		"no level":      {`{"msg":"x"}`, "INFO x []"},
		"odd level":     {`{"level":[1],"msg":"x"}`, "INFO x []"},
		"another's":     {`{"msg":"x","plugin":"admin","instance":"b"}`, "INFO x [instance_=b plugin_=admin]"},
		"no message":    {`{"@message":1}`, `WARN {"@message":1} [unstructured=true]`},
		"null":          {`null`, "WARN null [unstructured=true]"},
		"text":          {`hello`, "WARN hello [unstructured=true]"},
		"torn":          {`{"msg":`, `WARN {"msg": [unstructured=true]`},
		"empty message": {`{"msg":""}`, "INFO  []"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			level, message, attrs := parseLine(test.line, strings.NewReplacer())
			if have := fmt.Sprintf("%s %s %v", level, message, attrs); have != test.want {
				t.Errorf("%s, want %s", have, test.want)
			}
		})
	}
}

func TestLinesAreCutNotLost(t *testing.T) {
	t.Parallel()
	var have []string
	text := "a\n\r\n" + strings.Repeat("b", 3*maxLine) + "\nc\r\nlast"
	lines(strings.NewReader(text), func(line string) { have = append(have, line) })
	if len(have) != 4 || have[0] != "a" || len(have[1]) != maxLine || have[2] != "c" || have[3] != "last" {
		t.Errorf("%d lines: %.100q", len(have), have)
	}
}

// What a plugin writes must never end the engine.
func FuzzOutput(f *testing.F) {
	f.Add([]byte(`{"@message": 1}`))
	f.Add([]byte("1|1|unix|/x|grpc|cert\npanic: x\n\ngoroutine 1 [running]:\n"))
	f.Add([]byte(`{"msg":"x","level":{}}` + "\n\xff"))
	f.Add([]byte(`{"msg":"\u0073ecret","a":{"secret":["\u0073ecret"]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var log bytes.Buffer
		o := newOutput(slog.New(slog.NewJSONHandler(&log, nil)), strings.NewReplacer("secret", hidden))
		_ = o.handshake.Close() // the library has given up
		o.pump(bytes.NewReader(text), bytes.NewReader(text))
		o.said()
		o.stack()
		if bytes.Contains(log.Bytes(), []byte("secret")) {
			t.Errorf("%s", log.Bytes())
		}
	})
}
