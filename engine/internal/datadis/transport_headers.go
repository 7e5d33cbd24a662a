package datadis

import "net/http"

// headers sets what net/http would leave out or get wrong (datadis-api.md 2):
// without Accept the answer is 400, with Go's own Accept-Encoding it may be
// labelled gzip without being it, and Go's User-Agent may be blocked.
type headers struct {
	next      http.RoundTripper
	userAgent string
}

// RoundTrip implements [http.RoundTripper].
func (h headers) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Accept", "*/*")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", h.userAgent)
	return h.next.RoundTrip(req)
}
