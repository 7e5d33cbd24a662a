package redistest

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/certtest"
	"github.com/datadis-engine/datadis/engine/internal/loopback"
)

const (
	masters = 3
	slots   = 16384
)

// Cluster starts three masters that share the slots, without replicas.
func Cluster(t testing.TB) *Backend {
	t.Helper()
	return cluster(t, func() []string { return nil })
}

// ClusterTLS starts a cluster whose masters also listen with TLS, and returns
// the address of that with the given parameters.
func ClusterTLS(t testing.TB, a certtest.Authority, query url.Values) string {
	t.Helper()
	var ports []string
	cluster(t, func() []string {
		port := loopback.Port(t)
		ports = append(ports, loopback.Address(port))
		// Without the last, nodes tell clients no ports that speak TLS.
		return append(tlsOptions(a, port, "no"), "--tls-cluster", "yes")
	})
	// One is enough to find the others.
	u := url.URL{Scheme: "rediss+cluster", User: url.UserPassword(user, password), Host: ports[0], RawQuery: query.Encode()}
	return u.String()
}

// cluster starts masters with more options, which are asked for once for each.
func cluster(t testing.TB, options func() []string) *Backend {
	t.Helper()
	b := &Backend{Name: "cluster", shards: true, restricted: true}
	nodes := make([]*redis.Client, masters)
	for i := range nodes {
		s := Start(t, append(options(), "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
			"--cluster-port", strconv.Itoa(loopback.Port(t)))...)
		b.addrs = append(b.addrs, s.Addr())
		nodes[i] = redis.NewClient(&redis.Options{Addr: s.Addr()})
		defer func() { _ = nodes[i].Close() }()
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	for i, node := range nodes {
		from, to := slots*i/masters, slots*(i+1)/masters-1
		check(t, node.ClusterAddSlotsRange(ctx, from, to).Err())
		check(t, node.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		if i > 0 {
			check(t, meet(ctx, node, nodes[0], b.addrs[0]))
		}
	}
	for _, node := range nodes {
		awaitCluster(ctx, t, node)
	}
	return b
}

// meet makes a node known to the first one. The bus port has to be said, as it
// is not the usual one.
func meet(ctx context.Context, node, first *redis.Client, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	// The first node tells its own bus port: host:port@bus[,name] is field 2.
	self, err := first.Do(ctx, "CLUSTER", "NODES").Text()
	if err != nil {
		return err
	}
	var bus string
	for _, line := range strings.Split(self, "\n") {
		if strings.Contains(line, "myself") {
			_, after, _ := strings.Cut(strings.Fields(line)[1], "@")
			bus, _, _ = strings.Cut(after, ",")
		}
	}
	return node.Do(ctx, "CLUSTER", "MEET", host, port, bus).Err()
}

// awaitCluster waits until a node sees all others and all slots served.
func awaitCluster(ctx context.Context, t testing.TB, node *redis.Client) {
	t.Helper()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		info, err := node.ClusterInfo(ctx).Result()
		if err == nil && strings.Contains(info, "cluster_state:ok") &&
			strings.Contains(info, "cluster_known_nodes:"+strconv.Itoa(masters)) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the cluster did not form: %v; %s", err, info)
		case <-poll.C:
		}
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("forming a cluster: %v", err)
	}
}
