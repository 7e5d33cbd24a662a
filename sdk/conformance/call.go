package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// callError is an answer that says no: whether that is wrong depends on the
// check.
type callError struct {
	doing  string
	status *status.Status
}

func (e *callError) Error() string { return e.text() }

func (e *callError) text() string {
	return fmt.Sprintf("%s: %s: %s", e.doing, e.status.Code(), cut(e.status.Message()))
}

// call makes a call within the time for one. What no plugin may do in a call is
// a *Finding; any other failure is a *callError.
func (s *stage) call(ctx context.Context, doing string, do func(context.Context) error) error {
	return s.check.call(ctx, s.process, doing, do)
}

func (c *check) call(ctx context.Context, p *process, doing string, do func(context.Context) error) error {
	within, cancel := context.WithTimeout(ctx, c.timing.Call)
	defer cancel()
	err := do(within)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s := status.Convert(err)
	c.look("the error of "+doing, s.Message(), fmt.Sprint(s.Proto().GetDetails()))
	if p.awaitExit(lateEnd(s.Code())) {
		if p.out.panicked != "" {
			return finding("call.panics", "%s: %s", doing, p.ending())
		}
		return finding("call.dies", "%s: %s", doing, p.ending())
	}
	switch {
	case s.Code() == codes.DeadlineExceeded && within.Err() != nil:
		return finding("call.no-answer", "%s: nothing in %v", doing, c.timing.Call)
	case reason(s) == "panic":
		return finding("call.panics", "%s: %s", doing, cut(s.Message()))
	case s.Code() == codes.ResourceExhausted && len(s.Details()) == 0 && strings.Contains(s.Message(), "larger than max"):
		return finding("answer.too-large", "%s: %s", doing, cut(s.Message()))
	}
	return &callError{doing, s}
}

// lateEnd is how long after a failed call the end of the process may be seen.
func lateEnd(code codes.Code) time.Duration {
	if code == codes.Unavailable {
		return 500 * time.Millisecond
	}
	return 10 * time.Millisecond
}

func reason(s *status.Status) string {
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// refused tells whether the plugin said no, and had the right to.
func refused(err error) (*callError, bool) {
	var e *callError
	return e, errors.As(err, &e)
}

// look notes secrets in what a plugin answered.
func (c *check) look(where string, texts ...string) {
	for _, secret := range c.secrets() {
		for _, text := range texts {
			if strings.Contains(text, secret) {
				c.mu.Lock()
				c.leaks = append(c.leaks, where)
				c.mu.Unlock()
				return
			}
		}
	}
}

// shortest is how long a text must be to count as a secret when it is seen.
const shortest = 6

// secrets are those of the configuration and the passwords of grants.
func (k *kit) secrets() []string {
	var all []string
	if k.config != nil {
		for _, secret := range k.config.secrets {
			all = append(all, secret)
		}
	}
	all = append(all, k.passwords...)
	long := all[:0]
	for _, secret := range all {
		if len(secret) >= shortest {
			long = append(long, secret)
		}
	}
	return long
}

// seenSecrets says where secrets were seen: in answers, and in what the
// processes wrote.
func (k *kit) seenSecrets() []string {
	where := k.leaks
	for _, p := range k.processes {
		p.out.mu.Lock()
		text := p.out.text.String()
		p.out.mu.Unlock()
		for _, secret := range k.secrets() {
			if strings.Contains(text, secret) {
				where = append(where, "what it writes to stdout or stderr")
				break
			}
		}
	}
	return where
}
