package datadis

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// errTokenRefused is the cause of a 401 on a data call: log in again, once.
var errTokenRefused = errors.New("the token is refused")

// errUnknownPath is the cause when the server does not know what was called.
var errUnknownPath = errors.New("the server does not know this call")

// classify tells what an answer means (datadis-api.md 8.1); nil if it can be
// used. Datadis labels its errors as it likes, so the text decides with the
// status, and the content type never.
func classify(r request, a reply) error {
	e := &Error{
		Endpoint:   r.endpoint.name,
		Status:     a.status,
		Message:    message(a.body, r.hide),
		RetryAfter: retryAfter(a.header, a.received),
	}
	text := strings.ToLower(string(a.body[:min(len(a.body), 4096)]))
	switch {
	case a.status == http.StatusOK:
		return checkOK(r, a, e)
	case a.status == http.StatusTooManyRequests:
		e.Kind = ErrThrottled
		if e.RetryAfter == 0 && strings.Contains(text, "ya realizada") {
			e.Kind = ErrRepeated
		}
	case a.status >= 300 && a.status < 400, a.status >= 500:
		e.Kind = ErrUnavailable
		// A gateway's time-out: what is behind it may well have finished.
		e.MaybeRegistered = r.endpoint.guarded && a.status == http.StatusGatewayTimeout
	default:
		e.Kind, e.Err = classifyRefusal(a.status, text)
	}
	if r.endpoint == loginCall {
		e.Kind = loginKind(e, text)
	}
	return e
}

// classifyRefusal tells what a 4xx means that is not 429.
func classifyRefusal(status int, text string) (Kind, error) {
	switch {
	case status == http.StatusUnauthorized:
		return ErrUnauthorised, errTokenRefused
	case status == http.StatusNotFound && isNothing(text):
		return ErrNoData, nil
	case status == http.StatusNotFound, status == http.StatusForbidden && isGateway(text):
		return ErrUnavailable, errUnknownPath
	case status == http.StatusForbidden:
		return ErrUnauthorised, nil
	case status == http.StatusBadRequest && strings.Contains(text, "se encuentra autorizado"):
		return ErrUnauthorised, nil
	case status == http.StatusRequestTimeout:
		return ErrUnavailable, nil
	default:
		return ErrInvalidRequest, nil
	}
}

// isNothing tells a 404 that means an empty result from one that means an
// unknown path.
func isNothing(text string) bool {
	return strings.Contains(text, "no supplies") || strings.Contains(text, "data not found")
}

// isGateway tells whether a 403 comes from in front of the API: an unknown
// path, a blocked User-Agent, a firewall's page, nothing at all.
func isGateway(text string) bool {
	text = strings.TrimSpace(text)
	return text == "" || text[0] == '<' || text == "403 forbidden" || text == "forbidden"
}

// loginKind corrects the kind of a failed login: wrong passwords come as 401,
// 403, or a 500 that says so.
func loginKind(e *Error, text string) Kind {
	switch {
	case strings.Contains(text, "bad credentials"),
		e.Status == http.StatusUnauthorized,
		e.Status == http.StatusForbidden && !isPage(text):
		e.Err = nil
		return ErrBadCredentials
	case e.Kind == ErrThrottled || e.Kind == ErrRepeated:
		return ErrThrottled
	case e.Kind == ErrInvalidRequest:
		return ErrInvalidRequest
	default:
		return ErrUnavailable
	}
}

// isPage tells whether a 403 on the login was not the login's own.
func isPage(text string) bool {
	text = strings.TrimSpace(text)
	return text != "" && isGateway(text)
}

// checkOK tells whether an answer with status 200 can be used.
func checkOK(r request, a reply, e *Error) error {
	e.Kind = ErrUnavailable
	if r.endpoint == loginCall {
		if _, err := parseToken(a.body, a.received); err != nil {
			e.Message = "" // it may be a token after all
			e.Err = err
			return e
		}
		return nil
	}
	if e.Err = checkComplete(a.body); e.Err == nil {
		return nil
	}
	if errors.Is(e.Err, errIncomplete) {
		e.Message = "" // the beginning of somebody's data
	}
	// Datadis believes that it answered.
	e.MaybeRegistered = r.endpoint.guarded
	return e
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.Atoi(value); err == nil {
		return min(max(time.Duration(seconds), 0), maxRetryAfter/time.Second) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// maxRetryAfter is the longest wait that a server is believed.
const maxRetryAfter = 24 * time.Hour

// isHTML tells whether a body is a web page.
func isHTML(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}
