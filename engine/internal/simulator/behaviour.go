package simulator

import (
	"bytes"
	"cmp"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Kinds of faults that are no answers of the catalogue.
const (
	kindReset        = "reset"            // the connection is reset before an answer
	kindCut          = "cut"              // the connection ends in the middle of the body
	kindTruncated    = "truncated"        // the body ends in the middle, the connection does not
	kindGzip         = "gzip_mislabelled" // labelled gzip, but is not
	kindLatin1       = "latin1"           // the body is ISO 8859-1
	kindLatency      = "latency"          // the answer is late
	kindStall        = "stall"            // there is no answer until the delay or the client's patience ends
	kindEmpty        = "empty"            // 200 without data
	kindDropRows     = "drop_rows"        // some rows are missing
	kindShortList    = "short_list"       // some supplies are missing
	kindOutage       = "outage"           // a distributor does not answer; v1 leaves its supplies out
	kindOutage500    = "outage_500"       // the same, but v1 fails
	kindExpiredToken = "expired_token"    // of a login: it gives one; of other calls: 401
	kindQuotedToken  = "quoted_token"     // the token stands in quotes
	kindSpacedToken  = "spaced_token"     // the token stands between blanks
)

func behaviours() []string {
	return []string{
		kindReset, kindCut, kindTruncated, kindGzip, kindLatin1, kindLatency, kindStall, kindEmpty, kindDropRows,
		kindShortList, kindOutage, kindOutage500, kindExpiredToken, kindQuotedToken, kindSpacedToken,
	}
}

// Kinds lists the kinds of faults: the names of the answers of the catalogue,
// and how a good answer can be spoilt.
func Kinds() []string {
	answers := []string{
		badToken, expiredToken, badCredentials, credentials401, credentials403, noSupplies, noData, noAuthorized,
		cupsRefused, badDates, badParameter, badDistributor, badPointType, badMeasurement, noAccept, missing, repeated,
		forbidden, internal, internalBare, noConnection, badGateway, azureGateway, unavailable, gatewayTimeout, pageAsSuccess,
	}
	return append(answers, behaviours()...)
}

// defaultDelay of the fault latency.
const defaultDelay = 5 * time.Second

// replaces tells whether the fault answers in the place of Datadis.
func (c *call) replaces() bool {
	_, named := catalogue(c.kind)
	return named || len(c.fault.Kind) == 0 || c.kind == kindReset ||
		c.kind == kindExpiredToken && c.name != EndpointLogin
}

// loses tells whether the fault keeps the answer from the client, wholly or in
// part. An outage comes with a 200, but the client learns nothing from it.
func (c *call) loses() bool {
	return c.replaces() || slices.Contains([]string{kindCut, kindTruncated, kindStall, kindOutage, kindOutage500}, c.kind)
}

// faultAnswer is the fault's own answer.
func (c *call) faultAnswer() answer {
	var a answer
	switch {
	case len(c.fault.Kind) == 0:
		a = answer{status: c.fault.Status, contentType: c.fault.ContentType, body: []byte(c.fault.Body)}
	case c.kind == kindExpiredToken:
		a = c.canned(expiredToken)
	case c.kind == kindReset:
		a = answer{}
	default:
		a = c.canned(c.kind)
	}
	a.header = c.fault.header()
	return a
}

// wait lets the time pass that the answer takes. The client may go meanwhile.
func (c *call) wait(r *http.Request) {
	delay := c.sim.config.Latency.of(c)
	if c.kind == kindLatency {
		delay += cmp.Or(time.Duration(c.fault.Delay), defaultDelay)
	}
	var timeout <-chan time.Time
	switch {
	case c.kind == kindStall && c.fault.Delay == 0: // until somebody gives up
	case c.kind == kindStall:
		delay = time.Duration(c.fault.Delay)
		fallthrough
	default:
		if delay <= 0 {
			return
		}
		timer := time.NewTimer(delay)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-timeout:
	case <-r.Context().Done():
		c.abandoned = true
	case <-c.sim.closing:
	}
}

// of is the time that a call takes: from the range, by the call's own dice.
func (l Latency) of(c *call) time.Duration {
	width := l.Max - l.Min
	return l.Min + time.Duration(newDice(c.sim.config.Seed, "latency", c.identity()).share()*float64(width))
}

// send writes an answer, spoilt as the fault says. It ends the connection by
// panicking with [http.ErrAbortHandler], as the server asks of handlers.
func (c *call) send(w http.ResponseWriter, r *http.Request, a answer) {
	if c.kind == kindReset || c.kind == kindStall {
		reset(w)
	}
	body := a.body
	header := w.Header()
	for name, values := range a.header {
		header[name] = values
	}
	header["Content-Type"] = nil // or the server would guess one
	if a.contentType != "" {
		header.Set("Content-Type", a.contentType)
	}
	header.Set("Server", "nginx/1.24.0")
	switch c.kind {
	case kindTruncated:
		body = body[:len(body)*2/3]
	case kindGzip:
		header.Set("Content-Encoding", "gzip")
	case kindLatin1:
		body = latin1(body)
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	if c.kind == kindCut {
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body) // the client may have gone; the log says that we answered
}

// reset ends the connection without a word.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 and recorders: the next best
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // RST, not FIN
	}
	_ = conn.Close()
	panic(http.ErrAbortHandler)
}

// latin1 is UTF-8 text in ISO 8859-1; what that lacks becomes a question mark.
func latin1(body []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(body) {
		if r > 0xff {
			r = '?'
		}
		b.WriteByte(byte(r))
	}
	return b.Bytes()
}
