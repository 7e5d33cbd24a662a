package plugin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/datadis-engine/datadis/sdk"
)

const (
	errorDomain = "plugin.datadis"
	originKey   = "origin"
	// maxErrorText keeps a status within what every gRPC stack takes as headers.
	maxErrorText = 2 << 10
)

// Reasons that the SDK and the client give themselves.
const (
	ReasonPanic        = "panic"          // the plugin panicked in the call
	ReasonNoSummary    = "no_summary"     // a list of grants ended without its summary
	ReasonBadResult    = "bad_result"     // the plugin answered what the protocol forbids
	ReasonItemTooLarge = "item_too_large" // an item, or what was made of it, exceeds MaxMessageSize
)

var codeOfKind = map[sdk.ErrorKind]codes.Code{
	sdk.Unavailable:  codes.Unavailable,
	sdk.Precondition: codes.FailedPrecondition,
	sdk.Invalid:      codes.InvalidArgument,
}

// toStatus is an error of the author's code as it travels.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	var known *sdk.Error
	var network net.Error
	switch {
	case errors.As(err, &known):
		code, ok := codeOfKind[known.Kind]
		if !ok {
			code = codes.Unknown
		}
		return newStatus(code, err.Error(), known.Reason, known.Origin, known.After)
	case errors.Is(err, sdk.ErrUnsupported):
		return newStatus(codes.Unimplemented, err.Error(), "", sdk.FromPlugin, 0)
	case errors.Is(err, context.Canceled):
		return newStatus(codes.Canceled, err.Error(), "", sdk.FromPlugin, 0)
	case errors.Is(err, context.DeadlineExceeded):
		return newStatus(codes.DeadlineExceeded, err.Error(), "", sdk.FromDownstream, 0)
	case errors.As(err, &network): // whatever it wanted to reach is down
		return newStatus(codes.Unavailable, err.Error(), "", sdk.FromDownstream, 0)
	default:
		return newStatus(codes.Unknown, err.Error(), "", sdk.FromPlugin, 0)
	}
}

func newStatus(code codes.Code, text, reason string, origin sdk.Origin, after time.Duration) error {
	if len(text) > maxErrorText {
		text = text[:maxErrorText] + " …"
	}
	s := status.New(code, strings.ToValidUTF8(text, "\uFFFD"))
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{
		Reason: reason, Domain: errorDomain, Metadata: map[string]string{originKey: string(origin)},
	}}
	if after > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
	}
	if detailed, err := s.WithDetails(details...); err == nil {
		s = detailed
	}
	return s.Err()
}

// fromStatus is a call's error as the engine decides on it: a *sdk.Error,
// sdk.ErrUnsupported, or that the caller's context ended.
func fromStatus(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if ctx.Err() != nil && (s.Code() == codes.Canceled || s.Code() == codes.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	}
	if s.Code() == codes.Unimplemented {
		return fmt.Errorf("%s: %w", doing, sdk.ErrUnsupported)
	}
	kind, origin := meaning(s.Code())
	e := &sdk.Error{Kind: kind, Origin: origin, Err: fmt.Errorf("%s: %w", doing, errors.New(s.Message()))}
	for _, detail := range s.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			e.Reason = d.GetReason()
			if o := sdk.Origin(d.GetMetadata()[originKey]); o != "" {
				e.Origin = o
			}
		case *errdetails.RetryInfo:
			e.After = d.GetRetryDelay().AsDuration()
		}
	}
	return e
}

// meaning is what the engine does about a code, and whose fault it is unless
// the details say otherwise.
func meaning(code codes.Code) (sdk.ErrorKind, sdk.Origin) {
	switch code {
	case codes.InvalidArgument, codes.OutOfRange:
		return sdk.Invalid, sdk.FromInput
	case codes.FailedPrecondition, codes.Unauthenticated, codes.PermissionDenied:
		return sdk.Precondition, sdk.FromDownstream
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded, codes.Aborted, codes.Canceled:
		return sdk.Unavailable, sdk.FromDownstream
	default: // a fault of the plugin, to be found item by item
		return sdk.Invalid, sdk.FromPlugin
	}
}

// tooLarge tells whether gRPC refused a message for its size; an author's own
// "resource exhausted" carries details.
func tooLarge(err error) bool {
	s, ok := status.FromError(err)
	return ok && s.Code() == codes.ResourceExhausted && len(s.Details()) == 0
}
