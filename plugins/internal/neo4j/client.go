package neo4j

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"github.com/datadis-engine/datadis/sdk"
)

// Client speaks to one database.
type Client struct {
	driver   neo4j.DriverWithContext
	database string
	timeout  time.Duration
}

// Open makes a client. It does not connect: the first call does.
func Open(in sdk.Instance, c Config) (*Client, error) {
	driver, err := c.driver(in)
	if err != nil {
		return nil, err
	}
	return &Client{driver: driver, database: c.Database, timeout: cmp.Or(c.Timeout, defaultTimeout)}, nil
}

// Close ends the connections.
func (c *Client) Close() error { return c.driver.Close(context.Background()) }

// CheckHealth tells whether Neo4j answers and lets the plugin in.
func (c *Client) CheckHealth(ctx context.Context) error {
	return explain(c.driver.VerifyConnectivity(ctx))
}

// Row is a record of a result, by column.
type Row map[string]any

// Statement is a query and its parameters. What comes from outside is always a
// parameter.
type Statement struct {
	Query  string
	Params map[string]any
}

// Tx is a transaction.
type Tx struct{ tx neo4j.ManagedTransaction }

// Run runs a statement and gathers its rows.
func (t Tx) Run(ctx context.Context, s Statement) ([]Row, error) {
	result, err := t.tx.Run(ctx, s.Query, s.Params)
	if err != nil {
		return nil, err
	}
	records, err := result.Collect(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]Row, len(records))
	for i, r := range records {
		rows[i] = r.AsMap()
	}
	return rows, nil
}

// Read runs a statement in a transaction that cannot write, and hands over its
// rows one by one as they come. A row may come again if the transaction had to
// be repeated; begin is called before the first of each try.
func (c *Client) Read(ctx context.Context, s Statement, begin func(), row func(Row) error) error {
	session := c.session(ctx, neo4j.AccessModeRead)
	defer session.Close(ctx)
	_, err := session.ExecuteRead(ctx, func(tx neo4j.ManagedTransaction) (any, error) {
		begin()
		result, err := tx.Run(ctx, s.Query, s.Params)
		if err != nil {
			return nil, err
		}
		for result.Next(ctx) {
			if err := row(result.Record().AsMap()); err != nil {
				return nil, err
			}
		}
		return nil, result.Err()
	}, c.limit)
	return explain(err)
}

// Rows are all rows of a statement that only reads.
func (c *Client) Rows(ctx context.Context, s Statement) ([]Row, error) {
	var rows []Row
	err := c.Read(ctx, s, func() { rows = nil }, func(r Row) error {
		rows = append(rows, r)
		return nil
	})
	return rows, err
}

// Write does work in one transaction, and again if Neo4j asks for it.
func (c *Client) Write(ctx context.Context, work func(Tx) error) error {
	session := c.session(ctx, neo4j.AccessModeWrite)
	defer session.Close(ctx)
	_, err := session.ExecuteWrite(ctx, func(tx neo4j.ManagedTransaction) (any, error) {
		return nil, work(Tx{tx})
	}, c.limit)
	return explain(err)
}

func (c *Client) session(ctx context.Context, mode neo4j.AccessMode) neo4j.SessionWithContext {
	return c.driver.NewSession(ctx, neo4j.SessionConfig{AccessMode: mode, DatabaseName: c.database, FetchSize: fetchSize})
}

func (c *Client) limit(t *neo4j.TransactionConfig) { t.Timeout = c.timeout }

// explain says what a failure means and whether to try again. Of what Neo4j
// itself says it keeps the code alone where the text may quote a parameter:
// those hold personal data.
func explain(err error) error {
	if err == nil {
		return nil
	}
	var own *sdk.Error
	if errors.As(err, &own) || errors.Is(err, context.Canceled) {
		return err
	}
	var refused *neo4j.Neo4jError
	if errors.As(err, &refused) {
		return explainCode(refused)
	}
	var usage *neo4j.UsageError
	if errors.As(err, &usage) {
		return err
	}
	return sdk.Later(fmt.Errorf("neo4j does not answer: %w", err), 0)
}

func explainCode(e *neo4j.Neo4jError) error {
	code := e.Code
	switch {
	case strings.HasPrefix(code, "Neo.ClientError.Security."):
		return sdk.Stop(fmt.Errorf("neo4j does not let the plugin in or do this (%s); check neo4j.username, neo4j.password and the user's rights", code))
	case code == "Neo.ClientError.Database.DatabaseNotFound":
		return sdk.Stop(fmt.Errorf("neo4j has no such database (%s); check neo4j.database", code))
	case strings.HasPrefix(code, "Neo.TransientError."), strings.HasPrefix(code, "Neo.DatabaseError."),
		strings.Contains(code, "TransactionTimedOut"), strings.Contains(code, ".Cluster."):
		return sdk.Later(fmt.Errorf("neo4j cannot do it now (%s)", code), 0)
	case code == "Neo.ClientError.Statement.SyntaxError": // quotes the query, which holds no data
		return sdk.Stop(fmt.Errorf("neo4j does not understand a query: %s", e.Msg))
	default:
		return sdk.Reject("neo4j_refused", fmt.Errorf("neo4j refused what was to be written (%s)", code))
	}
}

// errExists ends a transaction that has nothing to do.
var errExists = errors.New("it exists already")

// Schema runs a statement that changes constraints or indexes, which has to be
// alone in its transaction.
func (c *Client) Schema(ctx context.Context, query string) error {
	var refused *neo4j.Neo4jError
	err := c.Write(ctx, func(tx Tx) error {
		_, err := tx.Run(ctx, Statement{Query: query})
		if errors.As(err, &refused) && strings.HasSuffix(refused.Code, "AlreadyExists") {
			return errExists
		}
		return err
	})
	if errors.Is(err, errExists) { // another process was faster, which IF NOT EXISTS does not cover
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w; the statement was: %s", err, query)
	}
	return nil
}
