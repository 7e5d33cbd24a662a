package redisaccess

import "slices"

// Keys and channels of the engine begin with this.
const prefix = "dd:"

// What the engine sends: inside its scripts, to any server, and to find its way
// around a Cluster.
var (
	scripted = []string{
		"del", "get", "hdel", "hexists", "hget", "hgetall", "hincrby", "hmget", "hset", "publish", "set", "time",
		"zadd", "zcard", "zcount", "zrange", "zrangebylex", "zrangebyscore", "zrem", "zscore",
	}
	direct = []string{
		"eval", "evalsha", "exec", "hscan", "hsetnx", "hvals", "info", "multi", "pexpire", "ping", "sadd", "scan", "select",
		"smembers", "subscribe", "unlink", "unsubscribe", "zrevrange",
	}
	clustered = []string{"asking", "cluster|slots", "command"}
)

// Rules are what an ACL grants to the engine's user, and no more: as behind
// `ACL SETUSER engine`, or `user engine` in an ACL file. The password comes with
// it: on, >password.
func Rules() []string {
	rules := []string{"resetkeys", "resetchannels", "-@all", "~" + prefix + "*", "&" + prefix + "*"}
	for _, command := range slices.Sorted(slices.Values(slices.Concat(scripted, direct, clustered))) {
		rules = append(rules, "+"+command)
	}
	return rules
}

// SentinelRules are what an ACL of a Sentinel grants to the engine's user there.
func SentinelRules() []string {
	return []string{
		"resetchannels", "-@all", "&*", "+ping", "+psubscribe", "+sentinel|get-master-addr-by-name", "+sentinel|sentinels", "+subscribe",
	}
}
