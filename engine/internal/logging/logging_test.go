package logging

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/datadis-engine/datadis/sdk"
)

const (
	cups = sdk.CUPS("ES0031300000000001JN0F")
	nif  = sdk.NIF("12345678Z")
)

// everything logs identifiers and a secret in every way that comes to mind.
func everything(log *slog.Logger) {
	log = log.With("with", cups)
	log.Info("supply "+string(cups)+" of "+string(nif),
		"cups", cups,
		"several", []sdk.CUPS{cups, cups},
		"nif", nif,
		"nifs", []sdk.NIF{nif},
		"text", "?cups="+string(cups)+"&nif="+string(nif),
		"texts", []string{string(cups)},
		"err", fmt.Errorf("supplies of %s: %w", nif, errors.New("refused for "+string(cups))),
		"stringer", stringer{},
		slog.Group("group", "cups", cups),
		"password", sdk.NewSecret("hunter2"),
		"readings", 744,
	)
}

type stringer struct{}

func (stringer) String() string { return string(cups) }

func TestIdentifiersAreMaskedInEveryFormat(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{JSON, Text, Short} {
		var out bytes.Buffer
		everything(New(&out, Options{Format: format}))
		line := out.String()
		if strings.Contains(line, string(cups)) || strings.Contains(line, string(nif)) || strings.Contains(line, "hunter2") {
			t.Errorf("%s shows an identifier or a secret: %s", format, line)
		}
		if !strings.Contains(line, cups.Masked()) || !strings.Contains(line, "744") {
			t.Errorf("%s masks too much: %s", format, line)
		}
	}
}

func TestIdentifiersCanBeShown(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{JSON, Text, Short} {
		var out bytes.Buffer
		everything(New(&out, Options{Format: format, Clear: true}))
		if line := out.String(); !strings.Contains(line, string(cups)) || !strings.Contains(line, string(nif)) || strings.Contains(line, "hunter2") {
			t.Errorf("%s: %s", format, line)
		}
	}
}

func TestShortLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := New(&out, Options{Format: Short, Level: slog.LevelDebug})
	log.Info("run opened", "run", "9f2c", "policy", "last")
	log.Error("no attributes")
	log.WithGroup("g").With("a", 1).Debug("grouped", "msg", "inner")
	log.With("left", "out").WithGroup("empty").Warn("quoted", "text", "two words")
	want := "T INFO  run opened  run=9f2c policy=last\n" +
		"T ERROR no attributes\n" +
		"T DEBUG grouped  g.a=1 g.msg=inner\n" +
		"T WARN  quoted  left=out empty.text=\"two words\"\n"
	got := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d`).ReplaceAllString(out.String(), "T")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLevelsBelowAreLeftOut(t *testing.T) {
	t.Parallel()
	for _, format := range []Format{JSON, Text, Short} {
		var out bytes.Buffer
		log := New(&out, Options{Format: format, Level: slog.LevelWarn})
		log.Info("a")
		log.With("b", 1).Debug("c")
		if out.Len() > 0 {
			t.Errorf("%s logged %s", format, out.String())
		}
	}
}

// Lines of goroutines that log at the same time must not be mixed.
func TestShortLinesStayWhole(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := New(&out, Options{Format: Short})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			child := log.With("k", "v")
			for range 50 {
				child.Info("line", "n", "x")
			}
		})
	}
	wg.Wait()
	for line := range strings.Lines(out.String()) {
		if !strings.HasSuffix(line, "INFO  line  k=v n=x\n") {
			t.Fatalf("a mixed line: %q", line)
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"nothing to hide":                "nothing to hide",
		"ES0031300000000001JN":           "ES0031**********01JN",
		"es0031300000000001jn0f":         "es0031************jn0f",
		"/api?cups=ES0031300000000001JN": "/api?cups=ES0031**********01JN",
		"NIF X1234567L, B12345678":       "NIF ******67L, ******678",
		"20260301T060000":                "20260301T060000",
		"run 9f2c12345678ab":             "run 9f2c12345678ab",
		"2026-03":                        "2026-03",
	} {
		if got := Mask(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
