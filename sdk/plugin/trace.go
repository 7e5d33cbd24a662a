package plugin

import (
	"context"

	"google.golang.org/grpc/metadata"
)

// TraceParent is the W3C trace context that the engine made a call in, in the
// form of the header traceparent, for plugins that trace what they do; "" where
// the engine does not trace. A call that hands over several chunks is made in
// the context of the first.
func TraceParent(ctx context.Context) string {
	values := metadata.ValueFromIncomingContext(ctx, "traceparent")
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
