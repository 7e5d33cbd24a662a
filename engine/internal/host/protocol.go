package host

import (
	"fmt"
	"slices"

	goplugin "github.com/hashicorp/go-plugin"

	"github.com/datadis-engine/datadis/sdk/plugin"
)

// protocols are the versions of the protocol that this engine speaks: the
// newest, and the one before it, if there was one.
var protocols = spoken(plugin.ProtocolVersion)

// spoken are the versions that an engine of the given version speaks.
func spoken(newest int) []int {
	if newest == 1 {
		return []int{1}
	}
	return []int{newest - 1, newest}
}

// Speaks tells whether this engine speaks that version of the protocol.
func Speaks(version int) bool { return slices.Contains(protocols, version) }

// services are our client for every version. The services of a version are a
// package of their own in proto/; [plugin.Client] speaks the newest.
func services() map[int]goplugin.PluginSet {
	sets := make(map[int]goplugin.PluginSet, len(protocols))
	for _, version := range protocols {
		sets[version] = goplugin.PluginSet{roleName: connection{}}
	}
	return sets
}

// ProtocolError is a plugin that speaks no version of the protocol that this
// engine speaks.
type ProtocolError struct{ Plugin int }

// Error implements error.
func (e *ProtocolError) Error() string {
	oldest, newest := slices.Min(protocols), slices.Max(protocols)
	engine := fmt.Sprint(newest)
	if oldest != newest {
		engine = fmt.Sprintf("%d to %d", oldest, newest)
	}
	remedy := "build it with a newer SDK"
	if e.Plugin > newest {
		remedy = "install a newer engine, or an older version of the plugin"
	}
	return fmt.Sprintf("it speaks protocol %d, this engine speaks %s; %s", e.Plugin, engine, remedy)
}
