package wire

// What both ends agree on before the first message; docs/plugins/protocol.md
// has the whole of it.
const (
	// ProtocolVersion is the number of the protocol's package, proto/plugin/v1.
	ProtocolVersion = 1
	// MagicCookieKey is the variable by which a binary knows that the engine
	// started it. It is no secret.
	MagicCookieKey = "DATADIS_PLUGIN"
	// MagicCookieValue is what the engine sets it to.
	MagicCookieValue = "5f1d6cc2-datadis-engine-plugin"
	// LogLevelKey is the variable that says which log lines the engine wants.
	LogLevelKey = "DATADIS_PLUGIN_LOG_LEVEL"
	// FilePrefix is how the file names of plugins begin.
	FilePrefix = "datadis-plugin-"
	// MaxMessageSize is the largest message that either end takes.
	MaxMessageSize = 16 << 20
)

// The features of an instance that the engine asks for before it uses them.
const (
	FeatureBeginRun = "begin_run"
	FeatureSupplies = "supplies"
	FeatureEndRun   = "end_run"
	// FeatureDumpState is for tests: the engine never asks.
	FeatureDumpState = "dump_state"
)
