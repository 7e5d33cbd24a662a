// Package redisaccess opens clients of the Redis that an address names, knows
// what their user must be allowed to do, and says in plain words why one does
// not let the engine in.
package redisaccess

import (
	"crypto/tls"
	"errors"
	"net/url"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Errors about addresses. No error shows the address: what cannot be read might
// have the password anywhere.
var (
	// ErrAddress says that an address cannot be read, and how to write one.
	ErrAddress = errors.New("is no address of a Redis; write it as redis://user:password@host:6379/0 " +
		"(redis+cluster:// or redis+sentinel:// for those, rediss with TLS), with %2F for / and its like in a password")
	errNoMaster = errors.New("lacks the name that Sentinel knows the Redis by; add ?master_name=…")
	errNoTLS    = errors.New("has tls_… parameters, but speaks no TLS; write rediss:// in the place of redis://")
)

// Open makes a client for an address. It does not connect yet; see [Check]. The
// errors of its commands are explained. The forms of the address:
//
//	redis://user:password@host:6379/0, rediss:// with TLS, unix:///path
//	redis+cluster://user:password@host:6379,host2:6379
//	redis+sentinel://user:password@sentinel:26379,sentinel2:26379/0?master_name=mymaster
//
// User and password are those of Redis in all forms; Sentinel's own, if it has
// any, are the parameters sentinel_username and sentinel_password. Those of TLS
// are in [Files], beside tls_server_name. go-redis documents further ones, such
// as pool_size and read_timeout.
func Open(address string) (redis.UniversalClient, error) {
	a, err := parse(address)
	if err != nil {
		return nil, err
	}
	var client redis.UniversalClient
	switch a.topology {
	case "":
		client, err = a.single()
	case "cluster":
		client, err = a.cluster()
	case "sentinel":
		client, err = a.failover()
	default:
		err = ErrAddress
	}
	if err != nil {
		return nil, err
	}
	client.AddHook(hook{})
	return client, nil
}

// address is an address in its parts.
type address struct {
	topology string   // "", cluster or sentinel
	url      *url.URL // as go-redis takes it: one host, no parameters of ours
	tls      *tls.Config
}

// parse takes an address apart. Several hosts are no URL to the standard
// library, so those after the first become parameters.
func parse(text string) (*address, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	scheme, topology, _ := strings.Cut(scheme, "+")
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	start := strings.LastIndexByte(rest[:end], '@') + 1
	first, others, _ := strings.Cut(rest[start:end], ",")
	u, err := url.Parse(scheme + "://" + rest[:start] + first + rest[end:])
	if err != nil || others != "" && topology == "" {
		return nil, ErrAddress
	}
	query := u.Query()
	if others != "" {
		query["addr"] = append(strings.Split(others, ","), query["addr"]...)
	}
	a := &address{topology: topology, url: u}
	if topology == "sentinel" {
		moveUser(u, query)
		if query.Get("master_name") == "" {
			return nil, errNoMaster
		}
	}
	if a.tls, err = takeTLS(query, scheme == "rediss"); err != nil {
		return nil, err
	}
	u.RawQuery = query.Encode()
	return a, nil
}

// moveUser puts user and password where go-redis expects them, which takes those
// before the @ for Sentinel's own.
func moveUser(u *url.URL, query url.Values) {
	if u.User != nil {
		query.Set("username", u.User.Username())
		if password, ok := u.User.Password(); ok {
			query.Set("password", password)
		}
	}
	u.User = nil
	if name, password := take(query, "sentinel_username"), take(query, "sentinel_password"); name+password != "" {
		u.User = url.UserPassword(name, password)
	}
}

// take is a parameter that go-redis must not see.
func take(query url.Values, name string) string {
	value := query.Get(name)
	query.Del(name)
	return value
}

func (a *address) single() (redis.UniversalClient, error) {
	o, err := redis.ParseURL(a.url.String())
	if err != nil {
		return nil, ErrAddress
	}
	// What names the library to the server needs a permission of its own.
	o.DisableIdentity, o.TLSConfig = true, verified(a.tls, o.TLSConfig)
	return redis.NewClient(o), nil
}

func (a *address) cluster() (redis.UniversalClient, error) {
	o, err := redis.ParseClusterURL(a.url.String())
	if err != nil {
		return nil, ErrAddress
	}
	o.DisableIdentity, o.TLSConfig = true, verified(a.tls, o.TLSConfig)
	return redis.NewClusterClient(o), nil
}

func (a *address) failover() (redis.UniversalClient, error) {
	o, err := redis.ParseFailoverURL(a.url.String())
	if err != nil {
		return nil, ErrAddress
	}
	o.DisableIdentity, o.TLSConfig = true, verified(a.tls, o.TLSConfig)
	return redis.NewFailoverClient(o), nil
}
