package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/datadis-engine/datadis/sdk"
)

// Store is what the ledger needs of the store package, which says what its
// methods promise.
type Store interface {
	Get(ctx context.Context, key string) (map[string][]byte, error)
	Put(ctx context.Context, key string, set map[string][]byte, del ...string) error
	Keys(ctx context.Context, prefix string, visit func(key string) error) error
}

// The defaults of Config.
const (
	DefaultRepeatAfter = 24 * time.Hour
	DefaultTries       = 6
)

// Config of a Ledger.
type Config struct {
	// RepeatAfter is how long Datadis does not answer an identical query.
	// 0: DefaultRepeatAfter.
	RepeatAfter time.Duration
	// Tries that a settled month has to become complete. 0: DefaultTries.
	Tries int
	// Now is the clock. nil: the machine's.
	Now func() time.Time
}

// Ledger opens the books of all CUPS. Its methods may be called at the same
// time.
type Ledger struct {
	store  Store
	config Config
}

// New returns a Ledger that lies in the store.
func New(store Store, config Config) *Ledger {
	if config.RepeatAfter <= 0 {
		config.RepeatAfter = DefaultRepeatAfter
	}
	if config.Tries <= 0 {
		config.Tries = DefaultTries
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Ledger{store, config}
}

// keyPrefix starts the store's keys of all books.
const keyPrefix = "l:"

// storeKey is where the book of a CUPS lies. CUPS come from outside: what
// cannot be one is refused.
func storeKey(cups sdk.CUPS) (string, error) {
	key := cups.Key()
	if key == "" {
		return "", errors.New("the ledger was asked for an empty CUPS")
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return "", fmt.Errorf("the ledger was asked for %q, which is no CUPS", cups.Masked())
		}
	}
	return keyPrefix + string(key), nil
}

// Open reads everything known of a CUPS, however it is spelled. Only the
// holder of the CUPS's lease may write to the book, since it keeps in memory
// what the store holds.
func (l *Ledger) Open(ctx context.Context, cups sdk.CUPS) (*Book, error) {
	key, err := storeKey(cups)
	if err != nil {
		return nil, err
	}
	fields, err := l.store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("open the ledger of %s: %w", cups.Masked(), err)
	}
	book, err := l.read(cups.Key(), key, fields)
	if err != nil {
		return nil, fmt.Errorf("open the ledger of %s: %w", cups.Masked(), err)
	}
	return book, nil
}

// read makes a book of the fields of its hash. Fields of a kind that this
// engine does not know are left as they are.
func (l *Ledger) read(cups sdk.CUPS, key string, fields map[string][]byte) (*Book, error) {
	b := l.emptyBook(cups, key)
	for field, value := range fields {
		if err := b.readField(field, value); err != nil {
			return nil, fmt.Errorf("entry %q: %w", field, err)
		}
	}
	for i := range len(fields) {
		source, ok := fields[sourceField(i)]
		if !ok {
			break
		}
		b.sources = append(b.sources, string(source))
	}
	return b, nil
}

func (b *Book) readField(field string, value []byte) error {
	if key, ok := parseKey(field); ok {
		cell, err := decodeCell(value)
		if err != nil {
			return err
		}
		b.cells[key] = cell
	}
	if key, ok := parseQuery(field); ok {
		attempt, err := decodeAttempt(value)
		if err != nil {
			return err
		}
		b.queries[key] = attempt
	}
	return nil
}

func (l *Ledger) emptyBook(cups sdk.CUPS, key string) *Book {
	return &Book{
		cups: cups, key: key, store: l.store, config: l.config,
		cells: make(map[Key]Cell), queries: make(map[QueryKey]Attempt),
	}
}
