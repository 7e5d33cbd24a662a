package redisaccess

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// advice is what to do about an answer of Redis that holds one of the words.
var advice = []struct {
	words []string
	says  string
}{
	{[]string{"WRONGPASS", "invalid password"}, "Redis refuses the user or the password; correct them"},
	{[]string{"NOAUTH"}, "Redis wants a password; write redis://user:password@host"},
	{[]string{"NOPERM"}, "the user may not do that; give it the rules that docs/servers.md lists"},
	{[]string{"READONLY"}, "this is a replica; name the master, or use redis+sentinel://"},
	{[]string{"OOM "}, "the memory of Redis is full: raise maxmemory, or make room; nothing that was queued is lost"},
	{[]string{"MISCONF"}, "Redis cannot save to its disk, and takes no writes; make room there"},
	{[]string{"LOADING"}, "Redis is still reading its data; try again in a moment"},
	{[]string{"CLUSTERDOWN"}, "the Cluster does not serve all slots; look at `redis-cli cluster info`"},
	{[]string{"MOVED "}, "this is a node of a Cluster; write redis+cluster:// in the place of redis://"},
	{[]string{"cluster support disabled"}, "this is no Cluster; write redis:// in the place of redis+cluster://"},
	{[]string{"all sentinels specified"}, "no Sentinel that is named can be reached and knows the master_name"},
	{[]string{"tls: certificate required", "tls: bad certificate", "handshake failure"}, "Redis wants a certificate of ours; give tls_cert and tls_key"},
}

// explained is an error with what to do about it.
type explained struct {
	says  string
	cause error
}

func (e *explained) Error() string { return e.says + " (" + e.cause.Error() + ")" }
func (e *explained) Unwrap() error { return e.cause }

// Explain puts what to do before an error of Redis or of the connection to it.
// What it does not know it gives back as it is.
func Explain(err error) error {
	var done *explained
	if err == nil || errors.As(err, &done) {
		return err
	}
	if says := adviceOn(err); says != "" {
		return &explained{says, err}
	}
	return err
}

func adviceOn(err error) string {
	if says := explainTLS(err); says != "" {
		return says
	}
	for _, a := range advice {
		for _, word := range a.words {
			if strings.Contains(err.Error(), word) {
				return a.says
			}
		}
	}
	var slow net.Error
	switch {
	case errors.As(err, &slow) && slow.Timeout():
		return "Redis does not answer; check the host, the port and the network, and if no TLS is spoken there, write redis://"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "the connection was closed; if this happens at once and only TLS is spoken there, write rediss://"
	}
	return ""
}

// hook explains the errors of all commands of a client.
type hook struct{}

func (hook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		err := Explain(next(ctx, command))
		if err != nil {
			command.SetErr(err)
		}
		return err
	}
}

func (hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		err := Explain(next(ctx, commands))
		for _, command := range commands {
			if one := command.Err(); one != nil {
				command.SetErr(Explain(one))
			}
		}
		return err
	}
}

func explainTLS(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var other *tls.CertificateVerificationError
	switch {
	case errors.As(err, &unknown):
		return "the certificate of Redis is signed by nobody whom this machine trusts; give the right tls_ca"
	case errors.As(err, &name):
		return "the certificate of Redis is for another name; correct the host, or give tls_server_name"
	case errors.As(err, &invalid), errors.As(err, &other):
		return "the certificate of Redis is not valid; renew it"
	}
	return ""
}
