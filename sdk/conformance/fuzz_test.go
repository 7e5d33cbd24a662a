package conformance

import (
	"bytes"
	"testing"
)

// Whatever a plugin writes, and in whatever shape, the kit reads it to the end.
func FuzzOutput(f *testing.F) {
	for _, seed := range []string{"1|1|unix|/s|grpc|AAAA\n", `{"@message":1}`, "panic: x\n\ngoroutine 1", "\xff\xfe\n\n|||||\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o := newOutput()
		o.pump(bytes.NewReader(text), bytes.NewReader(text))
		for range o.handshake { // closed at the end
		}
		_ = o.lastWords()
		if o.bytes > len(text) {
			t.Errorf("%d bytes of %d", o.bytes, len(text))
		}
	})
}

// What the plugin's library says of stray prints, and the certificate in a
// handshake, are read without trust.
func FuzzMessages(f *testing.F) {
	f.Add([]byte{0x08, 0x01, 0x12, 0x02, 'h', 'i'})
	f.Add([]byte("MIIB"))
	f.Add([]byte(`{"type":"object","required":["a"],"properties":{"a":null,"b":{"items":{"x-secret":true},"examples":[1]}}}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		_, _ = strayText(text)
		_, _ = new(identity).trusting(string(text))
		_, _ = Options{}.newConfig(string(text))
	})
}

func TestStrayPrintsAreRead(t *testing.T) {
	t.Parallel()
	text, stdout := strayText([]byte{0x08, 0x01, 0x12, 0x02, 'h', 'i'})
	if text != "hi" || !stdout {
		t.Errorf("%q, %v", text, stdout)
	}
	if _, stdout := strayText([]byte{0x08, 0x02, 0x12, 0x02, 'h', 'i'}); stdout {
		t.Error("stderr is taken for stdout")
	}
}
