package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
)

type source struct {
	pb.UnimplementedSourceServer
	*actor
}

func (s *source) ListGrants(_ *pb.ListGrantsRequest, stream grpc.ServerStreamingServer[pb.ListGrantsResponse]) error {
	if err := s.ready(); err != nil {
		return err
	}
	grants := []*pb.Grant{
		{Key: "a", Username: "A", Password: &pb.Secret{Text: "password-of-a"}, OwnSupplies: true},
		{Key: "b", Username: "B", Password: &pb.Secret{Text: "password-of-b"}, AuthorizedNifs: []string{"C"}},
	}
	total := uint64(len(grants))
	switch name {
	case "list-fails":
		return status.Error(codes.Unavailable, "the database is down")
	case "wrong-count":
		total++
	case "repeated-key":
		grants[1].Key = "a"
	case "incomplete-grant":
		grants[1].Password = nil
	case "unstable-list":
		grants[1].Username = fmt.Sprint(s.asked.Add(1))
	case "large-batch":
		for i := range 600 {
			grants = append(grants, &pb.Grant{Key: fmt.Sprint(i), Username: "U", Password: &pb.Secret{Text: "password-of-u"}, OwnSupplies: true})
		}
		total = uint64(len(grants))
	case "leaks-password":
		fmt.Fprintln(stderr, "asking for", grants[0].GetUsername(), grants[0].GetPassword().GetText())
	case "cancel-stuck":
		if s.asked.Add(1) > 2 { // the third list of a process that was cut short
			<-make(chan int)
		}
	}
	if err := stream.Send(&pb.ListGrantsResponse{Part: &pb.ListGrantsResponse_Batch{Batch: &pb.GrantBatch{Grants: grants}}}); err != nil {
		return err
	}
	if broken("no-summary") {
		return nil
	}
	return stream.Send(&pb.ListGrantsResponse{Part: &pb.ListGrantsResponse_Summary{Summary: &pb.GrantSummary{Total: total}}})
}

type harmonizer struct {
	pb.UnimplementedHarmonizerServer
	*actor
	poisoned, spread bool // the last item, and one before it
}

// store is what the actor keeps in a file.
type store struct {
	Chunks   map[string]string `json:"chunks"`   // id → revision and hash
	Supplies map[string]string `json:"supplies"` // CUPS and account → address
	Seen     map[string]string `json:"seen"`     // CUPS → the last run that had it
	Ends     []string          `json:"ends"`
}

func (h *harmonizer) file() string { return filepath.Join(h.dir, "store.json") }

func (h *harmonizer) load() *store {
	s := &store{Chunks: map[string]string{}, Supplies: map[string]string{}, Seen: map[string]string{}}
	if text, err := os.ReadFile(h.file()); err == nil {
		_ = json.Unmarshal(text, s) // whole, or not there
	}
	return s
}

func (h *harmonizer) save(s *store) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	temporary := filepath.Join(os.TempDir(), "store.new")
	return errors.Join(os.WriteFile(temporary, text, 0o600), os.Rename(temporary, h.file()))
}

func (a *actor) lock() error {
	f, err := os.OpenFile(filepath.Join(a.dir, "lock"), os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return errors.New("another process holds the lock")
	}
	return f.Close()
}

func (h *harmonizer) BeginRun(context.Context, *pb.BeginRunRequest) (*pb.BeginRunResponse, error) {
	return &pb.BeginRunResponse{}, h.ready()
}

func (h *harmonizer) HarmonizeSupplies(_ context.Context, r *pb.HarmonizeSuppliesRequest) (*pb.HarmonizeSuppliesResponse, error) {
	if err := h.ready(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.load()
	for _, supply := range r.GetSupplies() {
		s.Supplies[supply.GetCups()+supply.GetAuthorizedNif()] = supply.GetAddress()
		s.Seen[supply.GetCups()] = r.GetRun()
	}
	return &pb.HarmonizeSuppliesResponse{}, h.save(s)
}

func (h *harmonizer) HarmonizeTimeSeries(_ context.Context, r *pb.HarmonizeTimeSeriesRequest) (*pb.HarmonizeTimeSeriesResponse, error) {
	if err := h.ready(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.misbehave(len(r.GetChunks())); err != nil {
		return nil, err
	}
	s, result := h.load(), &pb.BatchResult{}
	for i, c := range r.GetChunks() {
		if broken("odd-verdict") {
			result.Items = append(result.Items, &pb.ItemResult{Item: uint32(i)})
		}
		if verdict := h.judge(c); verdict != nil {
			verdict.Item = uint32(i)
			result.Items = append(result.Items, verdict)
			continue
		}
		if _, known := s.Chunks[c.GetId()]; known && broken("keeps-first") {
			continue
		}
		s.Chunks[c.GetId()] = fmt.Sprint(c.GetRevision(), c.GetHash())
		s.Seen[c.GetCups()] = r.GetRun()
		result.Records = append(result.Records, h.record(i, c))
	}
	if broken("appends") {
		s.Ends = append(s.Ends, "batch")
	}
	if broken("counts-batches") {
		s.Seen[r.GetBatch()] = "" // one entry for each batch id, so the same batch leaves no trace
	}
	if broken("names-beyond") {
		result.Items = append(result.Items, &pb.ItemResult{Item: uint32(len(r.GetChunks())), Verdict: pb.Verdict_VERDICT_SKIPPED})
	}
	if err := h.save(s); err != nil {
		return nil, err
	}
	if broken("not-atomic") {
		_ = os.Remove(h.working())
	}
	return &pb.HarmonizeTimeSeriesResponse{Result: result}, nil
}

// judge finds what cannot be harmonized.
func (h *harmonizer) judge(c *pb.Chunk) *pb.ItemResult {
	h.spread = h.spread || h.poisoned
	poisoned := len(c.GetConsumption().GetUnits()) != 0 && len(c.GetConsumption().GetUnits()) != len(c.GetStarts())
	h.poisoned = poisoned
	power := c.GetSeries().GetProperty() == "Power"
	switch {
	case poisoned && broken("poison-repeats"):
		return &pb.ItemResult{Verdict: pb.Verdict_VERDICT_RETRY, Reason: "odd"}
	case poisoned, power && broken("rejects-power"):
		return &pb.ItemResult{Verdict: pb.Verdict_VERDICT_REJECTED, Reason: "odd", Message: "cannot be read"}
	case power && broken("retries-power"):
		return &pb.ItemResult{Verdict: pb.Verdict_VERDICT_RETRY, Reason: "busy"}
	case h.spread && broken("poison-spreads"):
		return &pb.ItemResult{Verdict: pb.Verdict_VERDICT_REJECTED, Reason: "odd", Message: "the one before was odd"}
	}
	return nil
}

func (h *harmonizer) record(i int, c *pb.Chunk) *pb.Record {
	r := &pb.Record{Item: uint32(i), Topic: h.topic, Key: []byte(c.GetId()), Value: []byte(fmt.Sprint(c.GetCups(), c.GetRevision()))}
	switch name {
	case "undeclared-topic":
		r.Topic = "elsewhere"
	case "too-large":
		r.Value = make([]byte, 20<<20)
	case "leaks-record":
		r.Value = []byte(h.token)
	}
	return r
}

// misbehave is what goes wrong in a batch as a whole.
func (h *harmonizer) misbehave(n int) error {
	switch name {
	case "dies":
		os.Exit(7)
	case "panics":
		panic("a nil map")
	case "loops":
		for {
			if h.drained.Load() {
				return nil
			}
		}
	case "hangs-in-call":
		<-make(chan int)
	case "fails":
		return status.Error(codes.Internal, "no idea")
	case "fails-on-nothing":
		if n == 0 {
			return status.Error(codes.InvalidArgument, "nothing")
		}
	case "leaks-error":
		return status.Error(codes.Unauthenticated, "the store refuses "+h.token)
	case "not-atomic":
		_ = os.WriteFile(h.working(), nil, 0o600)
		time.Sleep(200 * time.Millisecond)
	case "child-left":
		return leaveChild()
	case "grows":
		block := make([]byte, 3<<20)
		for i := 0; i < len(block); i += 512 {
			block[i] = 1
		}
		h.grown = append(h.grown, block)
	}
	return nil
}

func (h *harmonizer) EndRun(_ context.Context, r *pb.EndRunRequest) (*pb.EndRunResponse, error) {
	if err := h.ready(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s, result := h.load(), &pb.BatchResult{}
	run := r.GetRun().GetId()
	unseen := !slices.Contains(mapValues(s.Seen), run)
	switch {
	case broken("end-fails") && !unseen, broken("unseen-end-fails") && unseen:
		return nil, status.Error(codes.Internal, "what run?")
	case broken("end-appends"):
		s.Ends = append(s.Ends, run)
	}
	complete := r.GetOutcome() == pb.Outcome_OUTCOME_COMPLETE
	for cups, last := range s.Seen {
		if last == run {
			continue
		}
		if complete || broken("cancels-partial") {
			result.Records = append(result.Records, &pb.Record{Topic: h.topic, Key: []byte("cancelled/" + cups), Value: []byte("gone")})
		}
		if !complete && broken("deletes-partial") {
			delete(s.Seen, cups)
			result.Records = append(result.Records, &pb.Record{Topic: h.topic, Key: []byte(h.chunkOf(s))})
		}
	}
	return &pb.EndRunResponse{Result: result}, h.save(s)
}

// working is a file that is there while a batch is worked on.
func (h *harmonizer) working() string {
	return filepath.Join(h.dir, fmt.Sprint("working-", os.Getpid()))
}

// chunkOf is a chunk that the store has.
func (h *harmonizer) chunkOf(s *store) string {
	for id := range s.Chunks {
		if strings.HasPrefix(id, "ES0022") {
			return id
		}
	}
	return ""
}

func mapValues(m map[string]string) []string {
	var values []string
	for _, v := range m {
		values = append(values, v)
	}
	return values
}
