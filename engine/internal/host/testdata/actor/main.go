// Command actor is the plugins of the host's tests: what it does wrong depends
// on the name of its file, and on the batch that it is handed.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/plugin"
)

func main() {
	name := strings.TrimPrefix(filepath.Base(os.Args[0]), plugin.FilePrefix)
	if os.Getenv(plugin.MagicCookieKey) != "" {
		before(name)
	}
	plugin.Serve(plugin.Definition[config]{
		Name: name, Version: "1.2.3", Summary: "An actor.",
		Source:     setUpSource,
		Harmonizer: setUpHarmonizer,
		Check: func(_ context.Context, _ sdk.Instance, c config) []sdk.Problem {
			if c.Word == "odd" {
				return []sdk.Problem{{Path: "/word", Message: "is odd"}}
			}
			return nil
		},
	})
}

// before is what plugins do wrong before they serve.
func before(name string) {
	switch name {
	case "hang":
		select {}
	case "rubbish":
		fmt.Println("<html>404 page not found</html>")
		select {}
	case "exit":
		fmt.Fprintln(os.Stderr, "cannot find libfoo.so")
		os.Exit(3)
	case "future":
		fmt.Println("1|99|unix|/nowhere|grpc|")
		select {}
	case "frozen": // shakes hands, and never accepts
		listener, err := net.Listen("unix", filepath.Join(os.Getenv("TMPDIR"), "s"))
		if err != nil {
			panic(err)
		}
		fmt.Printf("1|1|unix|%s|grpc|\n", listener.Addr())
		select {}
	case "chatty":
		fmt.Println("welcome to the plugin")
		fmt.Println("1|2|3|4")
		fmt.Println(strings.Repeat("x", 200<<10))
		for _, line := range []string{
			`{"@message": 1}`, `{"@level": 3, "@message": "x"}`, `{"@timestamp": 17, "@message": "y"}`,
			`{"msg": null}`, `{}`, `null`, `[1]`, `{"a":`, "\xff\xfe", strings.Repeat("y", 200<<10),
		} {
			fmt.Fprintln(os.Stderr, line)
		}
	}
}

type config struct {
	Word  string     `json:"word" default:"none"`
	Token sdk.Secret `json:"token"`
	Many  []struct {
		Token sdk.Secret `json:"token"`
	} `json:"many"`
	Fail bool `json:"fail"`
}

type actor struct {
	instance sdk.Instance
	config   config
}

func setUpSource(_ context.Context, in sdk.Instance, c config) (sdk.Source, sdk.Route, error) {
	if c.Fail {
		return nil, sdk.Route{}, errors.New("the database says no")
	}
	return &actor{in, c}, sdk.Route{Topic: "datadis." + in.Name, Tables: []string{c.Word}, RowKeys: [][]string{{"cups", "timestamp"}}}, nil
}

func setUpHarmonizer(_ context.Context, in sdk.Instance, c config) (sdk.Harmonizer, sdk.Intake, error) {
	return &actor{in, c}, sdk.Intake{OutputTopics: []string{"out"}}, nil
}

// ListGrants lists what the process can see.
func (a *actor) ListGrants(_ context.Context, send func(sdk.Grant) error) error {
	for _, entry := range os.Environ() {
		if err := send(sdk.Grant{Key: "env", Username: entry}); err != nil {
			return err
		}
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	tokens := a.config.Token.Reveal()
	for _, one := range a.config.Many {
		tokens += "," + one.Token.Reveal()
	}
	return send(sdk.Grant{Key: "dir", Username: dir + " " + a.instance.Temp + " " + a.instance.Dir, Password: sdk.NewSecret(tokens)})
}

// HarmonizeTimeSeries does what the batch's id says, and answers with a record.
func (a *actor) HarmonizeTimeSeries(ctx context.Context, batch sdk.Batch[sdk.Chunk]) (sdk.Result, error) {
	if months, ok := strings.CutPrefix(a.config.Word, "poison "); ok {
		for _, c := range batch.Items {
			if c.Series == sdk.EnergyHourly && strings.Contains(months, c.Month.String()) {
				os.Exit(9)
			}
		}
		return sdk.Result{}, nil
	}
	answer := strconv.Itoa(os.Getpid())
	switch batch.ID {
	case "pid":
	case "panic":
		panic("boom")
	case "goroutine":
		go panic("far away")
		select {}
	case "exit":
		fmt.Fprintln(os.Stderr, "no more memory")
		os.Exit(7)
	case "freeze":
		if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
			return sdk.Result{}, err
		}
		<-ctx.Done()
	case "print":
		for range 4 {
			fmt.Println(strings.Repeat("o", 100<<10))
			fmt.Fprintln(os.Stderr, strings.Repeat("e", 100<<10))
		}
	case "leak":
		plugin.Logger(ctx).Info("the token is " + a.config.Token.Reveal())
		fmt.Println("token", a.config.Token.Reveal())
	case "child":
		child := exec.Command("/bin/sleep", "1000")
		if err := child.Start(); err != nil {
			return sdk.Result{}, err
		}
		answer = strconv.Itoa(child.Process.Pid)
	case "slow":
		plugin.Logger(ctx).Info("in the middle of it")
		time.Sleep(300 * time.Millisecond)
	case "hung": // heeds nothing
		select {}
	case "deadline":
		plugin.Logger(ctx).Info("waiting for the deadline")
		<-ctx.Done()
		plugin.Logger(ctx).Info("the deadline was seen")
		return sdk.Result{}, ctx.Err()
	case "limits":
		text, err := os.ReadFile("/proc/self/limits")
		if err != nil {
			return sdk.Result{}, err
		}
		nice, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0) // 20 minus the nice value
		if err != nil {
			return sdk.Result{}, err
		}
		answer = fmt.Sprintf("%s\nnice %d\nmemory %s\ncpus %s\n", text, 20-nice, os.Getenv("GOMEMLIMIT"), os.Getenv("GOMAXPROCS"))
	case "eat":
		held := make([][]byte, 0, 1<<10)
		for range 1 << 10 { // 64 GiB, none of which is touched
			held = append(held, make([]byte, 64<<20))
		}
		answer = strconv.Itoa(len(held))
	case "size":
		answer = strconv.Itoa(len(batch.Items[0].Starts))
	case "flood":
		for i := range 20_000 {
			fmt.Fprintln(os.Stderr, i, strings.Repeat("f", 100))
		}
	case "big":
		answer = strings.Repeat("b", 10<<20)
	default:
		return sdk.Result{}, fmt.Errorf("what is %q?", batch.ID)
	}
	return sdk.Result{Records: []sdk.Record{{Topic: "out", Value: []byte(answer)}}}, nil
}
