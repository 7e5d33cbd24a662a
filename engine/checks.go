package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/datadis-engine/datadis/engine/internal/host"
	"github.com/datadis-engine/datadis/engine/internal/kafka"
	"github.com/datadis-engine/datadis/engine/internal/queue"
	"github.com/datadis-engine/datadis/engine/internal/redisaccess"
	"github.com/datadis-engine/datadis/engine/internal/settings"
)

// check is one thing that `engine doctor` looks at. It finds one thing or more.
type check struct {
	name string
	look func(context.Context, *app, *settings.Settings) []finding
}

// checks are made in this order.
var checks = []check{
	{"configuration", checkConfiguration},
	{"keys", checkKeys},
	{"secret files", checkSecretFiles},
	{"data folder", checkDataDir},
	{"redis users", checkUsersRedis},
	{"redis devices", checkDevicesRedis},
	{"encrypted", checkEncrypted},
	{"kafka", checkKafka},
	{"plugins", checkPlugins},
	{"datadis", checkDatadis},
}

func found(s state, detail, remedy string) []finding {
	return []finding{{State: s, Detail: detail, Remedy: remedy}}
}

func checkConfiguration(_ context.Context, _ *app, s *settings.Settings) []finding {
	from := "defaults and environment only"
	if s.File() != "" {
		from = s.File()
	}
	if !s.Local().Any() {
		return found(fine, from, "")
	}
	var embedded []string
	for name, left := range map[string]bool{"redis.users": s.Local().Users, "redis.devices": s.Local().Devices, "kafka": s.Local().Kafka} {
		if left {
			embedded = append(embedded, name)
		}
	}
	return found(fine, from+"; left out and so embedded by `engine run`: "+strings.Join(slices.Sorted(slices.Values(embedded)), ", "), "")
}

// checkDataDir makes sure that local mode can keep its files.
func checkDataDir(_ context.Context, _ *app, s *settings.Settings) []finding {
	if !s.Local().Any() {
		return found(skipped, "nothing is kept there", "")
	}
	dir, err := filepath.Abs(s.DataDir)
	if err != nil {
		return found(broken, err.Error(), "set data_dir")
	}
	// Where it does not exist yet, the nearest folder above must allow it.
	for there := dir; ; there = filepath.Dir(there) {
		if _, err := os.Stat(there); errors.Is(err, os.ErrNotExist) && there != filepath.Dir(there) {
			continue
		}
		probe, err := os.CreateTemp(there, ".engine-doctor-*")
		if err != nil {
			return found(broken, fmt.Sprintf("%s cannot be written: %v", dir, err), "set data_dir to a folder that this user may write")
		}
		_ = probe.Close()
		if err := os.Remove(probe.Name()); err != nil {
			return found(doubt, fmt.Sprintf("a trial file stays in %s: %v", there, err), "remove it")
		}
		if err := safeFolder(there); err != nil && there == dir {
			return found(broken, err.Error(), "chmod o-w "+dir)
		}
		return found(fine, dir, "")
	}
}

func checkUsersRedis(ctx context.Context, _ *app, s *settings.Settings) []finding {
	return checkRedis(ctx, "redis.users.url", s.Redis.Users.URL)
}

func checkDevicesRedis(ctx context.Context, _ *app, s *settings.Settings) []finding {
	return checkRedis(ctx, "redis.devices.url", s.Redis.Devices.URL)
}

func checkRedis(ctx context.Context, key string, address settings.URL) []finding {
	if address.Empty() {
		return found(skipped, key+" is not set: embedded by `engine run`", "")
	}
	client, err := openRedis(key, address)
	if err != nil {
		return found(broken, err.Error(), "correct "+key)
	}
	defer client.Close()
	if err := redisaccess.Check(ctx, client); err != nil {
		return found(broken, fmt.Sprintf("%v: %v", address, err), "start it, or correct "+key)
	}
	warnings, err := queue.CheckServer(ctx, client)
	if err != nil {
		return found(broken, fmt.Sprintf("%v: %v", address, err), "correct its configuration")
	}
	findings := found(fine, address.String(), "")
	for _, warning := range warnings {
		findings = append(findings, finding{State: doubt, Detail: warning})
	}
	return findings
}

// checkKafka connects, and looks for a topic: with one answer it is known that
// the address, the encryption and the password are right.
func checkKafka(ctx context.Context, a *app, s *settings.Settings) []finding {
	if s.Local().Kafka {
		return found(skipped, "kafka.connection is not set: embedded by `engine run`", "")
	}
	servers := s.Kafka.Connection["bootstrap.servers"]
	if err := dialAny(ctx, servers); err != nil {
		return found(broken, fmt.Sprintf("%s: %v", servers, err), "start it, or correct bootstrap.servers in kafka.connection")
	}
	if err := kafka.Check(ctx, kafkaConfig(s), a.logger(s)); err != nil {
		return found(broken, err.Error(), "correct kafka.connection")
	}
	admin, err := kafka.NewAdmin(ctx, kafkaConfig(s), a.logger(s))
	if err != nil {
		return found(broken, err.Error(), "correct kafka.connection")
	}
	defer admin.Close()
	_, err = admin.EndOffsets(ctx, []string{s.Kafka.ControlTopic})
	switch {
	case err == nil:
		return found(fine, servers, "")
	case strings.Contains(err.Error(), "Unknown topic"):
		return found(fine, fmt.Sprintf("%s; the topic %s is not there yet, the first run makes it", servers, s.Kafka.ControlTopic), "")
	default:
		return found(broken, err.Error(), "correct kafka.connection: its protocol, certificates and password")
	}
}

// dialAny succeeds if one of the servers takes a connection.
func dialAny(ctx context.Context, servers string) error {
	var problems []error
	for server := range strings.SplitSeq(servers, ",") {
		server = strings.TrimSpace(server)
		if _, after, ok := strings.Cut(server, "://"); ok {
			server = after
		}
		if _, _, err := net.SplitHostPort(server); err != nil {
			server = net.JoinHostPort(server, "9092") // as librdkafka does
		}
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", server)
		if err == nil {
			return connection.Close()
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// checkPlugins starts no plugin that has a manifest; `engine plugins inspect`
// says more of one.
func checkPlugins(ctx context.Context, a *app, s *settings.Settings) []finding {
	instances, candidates := host.New(a.hostConfig(s)).Survey(ctx)
	var findings []finding
	for _, in := range instances {
		f := finding{State: fine, Detail: fmt.Sprintf("instance %s of %s", in.Name, in.Plugin)}
		switch {
		case in.Status == host.Disabled:
			f.Detail += ", disabled"
		case in.Status.Refused():
			f = finding{State: broken, Detail: fmt.Sprintf("%s is %s: %s", f.Detail, in.Status, in.Reason), Remedy: "see docs/plugins/operations.md"}
		case in.Status != host.OK:
			f = finding{State: broken, Detail: f.Detail + ": " + in.Reason, Remedy: "correct " + in.File}
		case len(in.Warnings()) > 0:
			f = finding{State: doubt, Detail: f.Detail + ": " + strings.Join(in.Warnings(), "; "), Remedy: "plugins.locked would refuse it"}
		}
		findings = append(findings, f)
	}
	for _, c := range candidates {
		switch c.Status {
		case host.OK, host.Ignored, host.NotConfigured:
		default:
			findings = append(findings, finding{State: doubt, Detail: c.Path + ": " + c.Reason, Remedy: "see `engine plugins list`"})
		}
	}
	if len(instances) == 0 {
		findings = append(findings, finding{State: doubt, Detail: "none is configured in " + s.Plugins.ConfigDir,
			Remedy: "write config_<name>.json there, or run with `engine run --users FILE`"})
	}
	return findings
}

// maxSkew is how wrong the clock may be: tokens and months depend on it.
const maxSkew = 5 * time.Minute

// checkDatadis asks for the API's front page. It needs no login, and so uses up
// nothing.
func checkDatadis(ctx context.Context, _ *app, s *settings.Settings) []finding {
	const remedy = "check the network, the proxy and datadis.base_url; Datadis itself may be down"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Datadis.BaseURL, nil)
	if err != nil {
		return found(broken, err.Error(), "correct datadis.base_url")
	}
	sent := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return found(broken, err.Error(), remedy)
	}
	_ = response.Body.Close()
	if response.StatusCode >= http.StatusInternalServerError {
		return found(doubt, fmt.Sprintf("%s answers %s", s.Datadis.BaseURL, response.Status), remedy)
	}
	findings := found(fine, s.Datadis.BaseURL+" answers", "")
	if theirs, err := http.ParseTime(response.Header.Get("Date")); err == nil && s.Run.Now.IsZero() {
		if skew := sent.Sub(theirs).Abs(); skew > maxSkew {
			findings = append(findings, finding{State: doubt, Detail: fmt.Sprintf("this machine's clock differs by %s", skew.Round(time.Second)), Remedy: "set the clock"})
		}
	}
	return findings
}
