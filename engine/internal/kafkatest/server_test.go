package kafkatest_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/datadis-engine/datadis/engine/internal/kafkatest"
)

// A broker keeps what it confirmed when it is stopped and when it is killed, and
// comes back at the same address.
func TestServerKeepsWhatItConfirmed(t *testing.T) {
	t.Parallel()
	s := kafkatest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Bootstrap()), kgo.DefaultProduceTopic("t"),
		kgo.AllowAutoTopicCreation(), kgo.ConsumeTopics("t"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i, end := range []func(){s.Stop, s.Kill} {
		want := fmt.Sprint(i)
		if err := client.ProduceSync(ctx, kgo.StringRecord(want)).FirstErr(); err != nil {
			t.Fatal(err)
		}
		end()
		end()
		if c, err := net.Dial("tcp", s.Bootstrap()); err == nil {
			_ = c.Close()
			t.Fatal("a broker that was ended takes connections")
		}
		s.Restart()
	}
	var got []string
	for len(got) < 2 && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	if strings.Join(got, " ") != "0 1" {
		t.Errorf("got %q", got)
	}
}

// orphan names the variable that makes the test below the process that is
// killed.
const orphan = "KAFKATEST_ORPHAN"

// A broker does not outlive a test binary that is killed, nor does its folder.
func TestServerEndsWithTheTestBinary(t *testing.T) {
	t.Parallel()
	if os.Getenv(orphan) != "" {
		fmt.Println("at", kafkatest.Real(t)["bootstrap.servers"], os.TempDir())
		select {} // until it is killed
	}
	kafkatest.Need(t)
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), orphan+"=1", "TMPDIR="+dir, "DATADIS_TEST_KAFKA=")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var word, address, temp string
	for word != "at" && err == nil {
		_, err = fmt.Fscan(out, &word)
	}
	if _, err := fmt.Fscan(out, &address, &temp); err != nil || temp != dir {
		t.Fatalf("%s %s: %v", address, temp, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		left, err := os.ReadDir(dir)
		c, refused := net.Dial("tcp", address)
		if refused != nil && err == nil && len(left) == 0 {
			return
		}
		if c != nil {
			_ = c.Close()
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			t.Fatalf("the broker still answers (%v), or its folder is there: %v, %v", refused, left, err)
		}
	}
}
