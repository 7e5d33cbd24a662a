package plugin

import (
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/internal/wire"
)

const (
	// partSize is what a call carries at most, unless a single item is larger.
	partSize = 4 << 20
	// itemSize leaves room for what a request holds beside the item.
	itemSize = MaxMessageSize - 64<<10
	// fieldOverhead is an item's tag and length.
	fieldOverhead = 8
)

// badResultError says that a plugin answered what the protocol forbids.
type badResultError struct{ cause error }

func (e *badResultError) Error() string { return e.cause.Error() }

// deliver hands items over in as few calls as their size allows. An item that
// is too large by itself is rejected, not dropped. The id of a part follows
// from the batch's, so that a repeated batch has the same parts.
func deliver[T proto.Message](id string, items []T, call func(id string, part []T) (*pb.BatchResult, error)) (sdk.Result, error) {
	d := &delivery[T]{id: wire.Text(id), items: items, call: call}
	first, size := 0, 0
	for i, item := range items {
		s := proto.Size(item) + fieldOverhead
		if i > first && size+s > partSize {
			if err := d.send(first, i); err != nil {
				return sdk.Result{}, err
			}
			first, size = i, 0
		}
		if s > itemSize {
			if err := d.reject(first, i); err != nil {
				return sdk.Result{}, err
			}
			first, size = i+1, 0
			continue
		}
		size += s
	}
	// An empty batch is handed over too: the plugin may count on its id.
	if first < len(items) || len(items) == 0 {
		if err := d.send(first, len(items)); err != nil {
			return sdk.Result{}, err
		}
	}
	return d.result, nil
}

type delivery[T proto.Message] struct {
	id     string
	items  []T
	call   func(id string, part []T) (*pb.BatchResult, error)
	result sdk.Result
}

// send hands over the items from first up to, not including, end. If what the
// plugin made of them is too large to come back, it halves them.
func (d *delivery[T]) send(first, end int) error {
	id := d.id
	if first > 0 || end < len(d.items) {
		id = fmt.Sprintf("%s#%d-%d", d.id, first, end)
	}
	m, err := d.call(id, d.items[first:end])
	switch {
	case err == nil:
		return d.add(m, first, end)
	case !tooLarge(err):
		return err
	case end-first == 1:
		return d.reject(first, first)
	case end == first:
		return err
	}
	middle := (first + end) / 2
	if err := d.send(first, middle); err != nil {
		return err
	}
	return d.send(middle, end)
}

func (d *delivery[T]) add(m *pb.BatchResult, first, end int) error {
	part, err := wire.DecodeResult(m, first, end-first)
	if err != nil {
		return &badResultError{err}
	}
	d.result.Records = append(d.result.Records, part.Records...)
	d.result.Items = append(d.result.Items, part.Items...)
	return nil
}

// reject sends what lies before the item, and gives the item up.
func (d *delivery[T]) reject(first, item int) error {
	if item > first {
		if err := d.send(first, item); err != nil {
			return err
		}
	}
	d.result.Items = append(d.result.Items, sdk.ItemResult{Item: item, Verdict: sdk.Rejected, Reason: ReasonItemTooLarge,
		Message: fmt.Sprintf("it, or what the plugin made of it, is larger than a message of %d MiB", MaxMessageSize>>20)})
	return nil
}

// skipUnimplemented takes a plugin that does not know the call as done.
func skipUnimplemented(err error) error {
	if grpcCode(err) == codes.Unimplemented {
		return nil
	}
	return err
}
