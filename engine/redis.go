package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/datadis-engine/datadis/engine/internal/settings"
)

// openRedis makes a client for an address of the configuration; key names the
// setting. It does not connect yet. The forms of the address:
//
//	redis://user:password@host:6379/0, rediss:// with TLS, unix:///path
//	redis+cluster://user:password@host:6379?addr=host2:6379
//	redis+sentinel://host:26379?master_name=mymaster&addr=host2:26379&password=…
//
// No error shows the address: what cannot be read might have the password
// anywhere.
func openRedis(key string, address settings.URL) (redis.UniversalClient, error) {
	client, err := parseRedis(address.Reveal())
	if err != nil {
		return nil, wrongUsage(&settings.Problem{Key: key, Message: "is no address of a Redis; write it as redis://user:password@host:6379/0 " +
			"(redis+cluster:// or redis+sentinel:// for those, rediss with TLS), with %2F for / and its like in a password"})
	}
	return client, nil
}

var errNoMaster = errors.New("no master_name")

func parseRedis(address string) (redis.UniversalClient, error) {
	kind, rest, _ := strings.Cut(address, "://")
	kind, topology, _ := strings.Cut(kind, "+")
	address = kind + "://" + rest
	switch topology {
	case "":
		o, err := redis.ParseURL(address)
		if err != nil {
			return nil, err
		}
		return redis.NewClient(o), nil
	case "cluster":
		o, err := redis.ParseClusterURL(address)
		if err != nil {
			return nil, err
		}
		return redis.NewClusterClient(o), nil
	case "sentinel":
		o, err := redis.ParseFailoverURL(address)
		if err == nil && o.MasterName == "" {
			err = errNoMaster
		}
		if err != nil {
			return nil, err
		}
		return redis.NewFailoverClient(o), nil
	default:
		return nil, fmt.Errorf("%q is no topology", topology)
	}
}
