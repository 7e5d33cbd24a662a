package plugin

import "github.com/datadis-engine/datadis/sdk/internal/wire"

// What both ends agree on before the first message.
const (
	// ProtocolVersion is the number of the protocol's package, proto/plugin/v1.
	ProtocolVersion = wire.ProtocolVersion
	// MagicCookieKey is the variable by which a binary knows that the engine
	// started it. It is no secret.
	MagicCookieKey = wire.MagicCookieKey
	// MagicCookieValue is what the engine sets it to.
	MagicCookieValue = wire.MagicCookieValue
	// LogLevelKey is the variable that says which log lines the engine wants.
	LogLevelKey = wire.LogLevelKey
	// FilePrefix is how the file names of plugins begin.
	FilePrefix = wire.FilePrefix
	// MaxMessageSize is the largest message that either end takes.
	MaxMessageSize = wire.MaxMessageSize
)

// Kind is a role that a plugin can play.
type Kind string

// The kinds.
const (
	SourceKind     Kind = "source"
	HarmonizerKind Kind = "harmonizer"
)
