package redisaccess

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
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
	{[]string{"MOVED ", "ASK "}, "this is a node of a Cluster; write redis+cluster:// in the place of redis://"},
	{[]string{"cluster support disabled"}, "this is no Cluster; write redis:// in the place of redis+cluster://"},
	{[]string{"all sentinels specified"}, "no Sentinel that is named can be reached and knows the master_name"},
	{[]string{"tls: certificate required", "tls: bad certificate", "handshake failure"}, "Redis wants a certificate of ours; give tls_cert and tls_key"},
}

// Explain puts what to do before an error of Redis or of the connection to it.
// What it does not know it gives back as it is.
func Explain(err error) error {
	if err == nil {
		return nil
	}
	if says := explainTLS(err); says != "" {
		return fmt.Errorf("%s (%w)", says, err)
	}
	for _, a := range advice {
		for _, word := range a.words {
			if strings.Contains(err.Error(), word) {
				return fmt.Errorf("%s (%w)", a.says, err)
			}
		}
	}
	var slow net.Error
	if errors.As(err, &slow) && slow.Timeout() {
		return fmt.Errorf("Redis does not answer; check the host, the port and the network, and if no TLS is spoken there, write redis:// (%w)", err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("the connection was closed at once; if only TLS is spoken there, write rediss:// (%w)", err)
	}
	return err
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
