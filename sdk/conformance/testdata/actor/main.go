// Command actor is a plugin that speaks the protocol without the SDK. The file's
// name says which promise it breaks: datadis-plugin-sound breaks none.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
)

var (
	name   = strings.TrimPrefix(filepath.Base(os.Args[0]), "datadis-plugin-")
	stdout = os.Stdout // the library puts others in their place
	stderr = os.Stderr
)

// broken tells whether the actor makes this mistake.
func broken(mistake string) bool { return name == mistake }

func main() {
	if os.Getenv("DATADIS_PLUGIN") == "" {
		byHand()
		return
	}
	beforeHandshake()
	a := &actor{}
	go a.watchStdin()
	a.watchSignals()
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{MagicCookieKey: "DATADIS_PLUGIN", MagicCookieValue: os.Getenv("DATADIS_PLUGIN")},
		VersionedPlugins: map[int]goplugin.PluginSet{
			1: {"plugin": &services{actor: a}},
		},
		Logger: hclog.NewNullLogger(),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			limit := 16 << 20
			if broken("small-limit") {
				limit = 4 << 20
			}
			return grpc.NewServer(append(options, grpc.MaxRecvMsgSize(limit), grpc.MaxSendMsgSize(64<<20))...)
		},
	})
}

func byHand() {
	switch {
	case broken("by-hand-hangs"):
		time.Sleep(time.Hour)
	case broken("by-hand-silent"):
	default:
		fmt.Println("A plugin of the Datadis engine.")
	}
}

func beforeHandshake() {
	switch name {
	case "prints-before":
		fmt.Println("loading …")
	case "hangs":
		time.Sleep(time.Hour)
	case "exits":
		fmt.Fprintln(os.Stderr, "no licence")
		os.Exit(3)
	case "malformed":
		fmt.Println("1|1|pipe|x|netrpc|")
		time.Sleep(time.Hour)
	case "wrong-protocol":
		fmt.Println("1|7|unix|/nowhere|grpc|AAAA")
		time.Sleep(time.Hour)
	case "no-tls":
		_ = os.Unsetenv("PLUGIN_CLIENT_CERT")
	}
}

// watchStdin ends the process with the engine.
func (a *actor) watchStdin() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	if !broken("outlives-stdin") && (!broken("drain-stays") || !a.drained.Load()) {
		os.Exit(0)
	}
}

func (a *actor) watchSignals() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	if broken("dies-of-sigint") {
		signal.Notify(signals, os.Interrupt)
	}
	go func() {
		for range signals {
			if !broken("ignores-sigterm") {
				os.Exit(0)
			}
		}
	}()
}

// services puts the actor on the library's server.
type services struct {
	goplugin.NetRPCUnsupportedPlugin
	actor *actor
}

// GRPCServer implements [goplugin.GRPCPlugin].
func (s *services) GRPCServer(_ *goplugin.GRPCBroker, g *grpc.Server) error {
	pb.RegisterPluginServer(g, s.actor)
	pb.RegisterSourceServer(g, &source{actor: s.actor})
	pb.RegisterHarmonizerServer(g, &harmonizer{actor: s.actor})
	return nil
}

// GRPCClient implements [goplugin.GRPCPlugin].
func (s *services) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

// leaveChild starts a process that nobody ends.
func leaveChild() error { return exec.Command("/bin/sleep", "60").Start() }
