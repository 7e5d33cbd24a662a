package kafkatest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/datadis-engine/datadis/engine/internal/loopback"
)

// Option changes what a broker is like.
type Option func(testing.TB, *options)

type options struct {
	properties map[string]string // over those that every broker has
	format     []string          // more of the command that makes the folder
	secure     *secure           // what clients need, if not all are let in
}

// With sets a property of the broker, as its documentation names it.
func With(property, value string) Option {
	return func(_ testing.TB, o *options) { o.set(property, value) }
}

func (o *options) set(property, value string) {
	if o.properties == nil {
		o.properties = map[string]string{}
	}
	o.properties[property] = value
}

// ports are where a broker listens. The plain one is for clients, or for this
// package alone where clients must be secure.
type ports struct{ plain, secure, controller int }

func newPorts(t testing.TB) ports {
	t.Helper()
	return ports{loopback.Port(t), loopback.Port(t), loopback.Port(t)}
}

func (o *options) bootstrap(p ports) string {
	if o.secure != nil {
		return loopback.Address(p.secure)
	}
	return loopback.Address(p.plain)
}

func (o *options) connection(p ports) map[string]any {
	if o.secure != nil {
		return o.secure.connection(o.bootstrap(p))
	}
	return plain(o.bootstrap(p))
}

// newID makes the id of a cluster.
func newID() string {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // it never fails
	id[0] &= 0x7f        // an id that begins with a dash would be taken for an option
	return base64.RawURLEncoding.EncodeToString(id)
}

// properties is the broker's configuration.
func (s *Server) properties() []byte {
	listeners := []string{"PLAIN://" + loopback.Address(s.ports.plain)}
	protocols := "PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT"
	if s.options.secure != nil {
		listeners = append(listeners, "SECURE://"+loopback.Address(s.ports.secure))
		protocols += ",SECURE:SASL_SSL"
	}
	controller := loopback.Address(s.ports.controller)
	all := map[string]string{
		"process.roles":                            "broker,controller",
		"node.id":                                  "1",
		"controller.quorum.voters":                 "1@" + controller,
		"controller.listener.names":                "CONTROLLER",
		"inter.broker.listener.name":               "PLAIN",
		"listeners":                                strings.Join(append(listeners, "CONTROLLER://"+controller), ","),
		"advertised.listeners":                     strings.Join(listeners, ","),
		"listener.security.protocol.map":           protocols,
		"log.dirs":                                 s.path("data"),
		"offsets.topic.replication.factor":         "1",
		"offsets.topic.num.partitions":             "4",
		"transaction.state.log.replication.factor": "1",
		"transaction.state.log.min.isr":            "1",
		"transaction.state.log.num.partitions":     "4",
		// A broker that was killed is not let in again before this is over.
		"broker.session.timeout.ms":        "3000",
		"broker.heartbeat.interval.ms":     "500",
		"group.initial.rebalance.delay.ms": "0", // tests have few members, and no time
	}
	maps.Copy(all, s.options.properties)
	var text bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s=%s\n", name, strings.ReplaceAll(all[name], "\n", "\\n"))
	}
	return text.Bytes()
}

// ask tells whether this very broker answers, and not another process that took
// the port first.
func (s *Server) ask(ctx context.Context) error {
	address := loopback.Address(s.ports.plain)
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil { // the client below would try for long
		return err
	}
	if err := connection.Close(); err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		return err
	}
	defer client.Close()
	answer, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client)
	switch {
	case err != nil:
		return err
	case answer.ClusterID == nil || *answer.ClusterID != s.id:
		return errors.New("another broker answers")
	case len(answer.Brokers) == 0:
		return errors.New("the broker is not registered yet")
	}
	return nil
}
