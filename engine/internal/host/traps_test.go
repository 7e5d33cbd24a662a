package host

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// What the plugin library does wrong, or leaves to its user, each tried on a
// real process. The others are:
//
//	stderr that panics the library       TestStrayOutputHarmsNobody
//	a print before the handshake         TestStrayOutputHarmsNobody
//	stdout lines longer than 64 KiB      TestStrayOutputHarmsNobody
//	a killed engine                      TestNoPluginOutlivesAKilledEngine
//	the thread that started a plugin     TestAPluginOutlivesTheThreadThatStartedIt
//	a panic in a handler                 TestAPanicInACallIsNoCrash
//	a process that is gone               TestACrashIsToldAndMended
//	a frozen process                     TestAFrozenPluginIsReplaced, TestAFrozenPluginDoesNotHoldUpTheStop
//	a stop with a call in flight         TestAStopWaitsForTheCallInFlight
//	no handshake                         TestWhyThereIsNoHandshake
//	the engine's environment             TestAPluginSeesOnlyWhatIsAllowed
//	sockets that are left behind         TestNothingIsLeftAfterAStop

// The library's own server takes 4 MiB.
func TestABatchOfMoreThanFourMiBArrives(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	r := w.start("good", nil)
	starts := make([]int64, 1<<20)
	for i := range starts {
		starts[i] = int64(i) << 40 // nine bytes each on the wire
	}
	result, err := r.HarmonizeTimeSeries(t.Context(), sdk.Batch[sdk.Chunk]{ID: "size", Items: []sdk.Chunk{{ID: "c", Starts: starts}}})
	if err != nil || len(result.Records) != 1 || string(result.Records[0].Value) != fmt.Sprint(len(starts)) {
		t.Errorf("%d records, %v", len(result.Records), err)
	}
}

func TestACallersDeadlineReachesThePlugin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	r := w.start("good", nil)
	before := askPID(t, r, "pid")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := ask(ctx, r, "deadline"); err == nil { // whose clock was first decides on its text
		t.Error("it was answered")
	}
	eventually(t, "the plugin saw it", func() bool { return w.log.find("the deadline was seen") != nil })
	if after := askPID(t, r, "pid"); after != before {
		t.Error("it cost the process")
	}
}

// A plugin that writes without end must neither block nor fill the memory.
func TestAFloodOfOutputDoesNotBlock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	r := w.start("good", nil)
	if _, err := ask(t.Context(), r, "flood"); err != nil {
		t.Error(err)
	}
}

// The connection is for the engine alone: who finds the socket is not let in.
func TestTheSocketLetsNobodyElseIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	r := w.start("good", nil)
	if _, err := ask(t.Context(), r, "pid"); err != nil {
		t.Fatal(err)
	}
	sockets, err := filepath.Glob(filepath.Join(w.config.RuntimeDir, "dd-*", "plugin*", "plugin*"))
	if err != nil || len(sockets) != 1 {
		t.Fatal(sockets, err)
	}
	for name, config := range map[string]*tls.Config{"no TLS": nil, "no certificate": {InsecureSkipVerify: true}, "another certificate": foreign(t)} {
		conn, err := net.Dial("unix", sockets[0])
		if err != nil {
			t.Fatal(err)
		}
		if config != nil {
			conn = tls.Client(conn, config)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
		answer := make([]byte, 9)
		n, err := conn.Read(answer)
		if err == nil && n == len(answer) && answer[3] == 4 { // a settings frame: the server talks
			t.Errorf("%s is let in", name)
		}
		_ = conn.Close()
	}
	if _, err := ask(t.Context(), r, "pid"); err != nil {
		t.Error(err)
	}
}

func foreign(t *testing.T) *tls.Config {
	t.Helper()
	certificate, _, err := clientCertificate()
	if err != nil {
		t.Fatal(err)
	}
	if key, ok := certificate.PrivateKey.(*ecdsa.PrivateKey); !ok || key.Curve != elliptic.P256() {
		t.Error("the key is not on P-256, which every TLS stack speaks")
	}
	return &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{certificate}}
}

// Once the process has ended, the library's client answers as if nothing were.
func TestEveryProcessHasAClientOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "good")
	r := w.start("good", nil)
	r.mu.Lock()
	first := r.process
	r.mu.Unlock()
	if _, err := ask(t.Context(), r, "exit"); err == nil || !strings.Contains(err.Error(), "exit status 7") {
		t.Fatal(err)
	}
	recovered(t, r)
	r.mu.Lock()
	second := r.process
	r.mu.Unlock()
	if first == second || first.lib == second.lib || first.child == second.child {
		t.Error("something of the first process is used again")
	}
}
