package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
)

const maxGrants = 500 // in one message

var sourceTrials = []trial{
	{"source.list", listsGrants},
	{"source.again", listsAgain},
	{"source.cancel", cancelsList},
}

// list asks for all grants. It notes the passwords, which must be seen nowhere
// else.
func (s *stage) list(ctx context.Context) ([]*pb.Grant, error) {
	var grants []*pb.Grant
	var total *uint64
	err := s.call(ctx, "ListGrants", func(ctx context.Context) error {
		stream, err := s.source.ListGrants(ctx, &pb.ListGrantsRequest{})
		for err == nil {
			var m *pb.ListGrantsResponse
			if m, err = stream.Recv(); err != nil {
				break
			}
			if summary := m.GetSummary(); summary != nil {
				n := summary.GetTotal()
				total = &n
			}
			if n := len(m.GetBatch().GetGrants()); n > maxGrants {
				s.find("source.batch-size", "%d grants in one message", n)
			}
			grants = append(grants, m.GetBatch().GetGrants()...)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	})
	if e, ok := refused(err); ok {
		return nil, finding("source.fails", "%s", e.text())
	}
	if err != nil {
		return nil, err
	}
	s.kit.mu.Lock()
	for _, g := range grants {
		s.passwords = append(s.passwords, g.GetPassword().GetText())
	}
	s.kit.mu.Unlock()
	switch {
	case total == nil:
		return nil, finding("source.no-summary", "the stream ended after %d grants", len(grants))
	case *total != uint64(len(grants)):
		s.find("source.count", "%d grants came, the summary says %d", len(grants), *total)
	}
	return grants, nil
}

func listsGrants(ctx context.Context, c *check) error {
	s, err := c.fresh(ctx)
	if err != nil {
		return err
	}
	grants, err := s.list(ctx)
	if err != nil {
		return err
	}
	keys := map[string]bool{}
	for i, g := range grants {
		switch {
		case g.GetUsername() == "" || g.GetPassword().GetText() == "":
			c.find("source.incomplete-grant", "grant %d has no username or no password", i)
		case !g.GetOwnSupplies() && len(g.GetAuthorizedNifs()) == 0:
			c.find("source.incomplete-grant", "grant %d wants neither its own supplies nor those of others", i)
		}
		if key := g.GetKey(); key != "" && keys[key] {
			c.find("source.key-repeated", "%q", key)
		}
		keys[g.GetKey()] = true
		c.look("a grant's key", g.GetKey())
	}
	return nil
}

func listsAgain(ctx context.Context, c *check) error {
	s, err := c.fresh(ctx)
	if err != nil {
		return err
	}
	var lists [2][]string
	for i := range lists {
		grants, err := s.list(ctx)
		if err != nil {
			return err
		}
		for _, g := range grants {
			lists[i] = append(lists[i], fmt.Sprint(g.GetKey(), g.GetUsername(), g.GetAuthorizedNifs(), g.GetOwnSupplies(), g.GetCups()))
		}
		slices.Sort(lists[i])
	}
	if strings.Join(lists[0], "\n") != strings.Join(lists[1], "\n") {
		c.find("source.unstable", "%d grants, then %d, or others", len(lists[0]), len(lists[1]))
	}
	return nil
}

// cancelsList cuts a list short, and asks for another.
func cancelsList(ctx context.Context, c *check) error {
	s, err := c.fresh(ctx)
	if err != nil {
		return err
	}
	short, cancel := context.WithCancel(ctx)
	stream, err := s.source.ListGrants(short, &pb.ListGrantsRequest{})
	if err == nil {
		_, _ = stream.Recv() // the first part, or that there is none
	}
	cancel()
	_, err = s.list(ctx)
	var broken *Finding
	if errors.As(err, &broken) && broken.Code == "call.no-answer" {
		return finding("source.cancel", "%s", broken.Message)
	}
	return err
}
