package sdk

import "context"

// Source hands over the Datadis users of one project.
type Source interface {
	// ListGrants calls send for each grant that the project holds now, and
	// returns nil only if those were all. After an error nothing is concluded
	// from the grants that were not sent. It stops when send fails, and
	// returns that error.
	ListGrants(ctx context.Context, send func(Grant) error) error
}

// Grant is one Datadis user that a project may ask with.
type Grant struct {
	Key            string // names the grant in logs: stable, not secret; "" lets the engine number it
	Username       string
	Password       Secret
	AuthorizedNIFs []NIF  // holders who authorised the user
	OwnSupplies    bool   // whether the user's own supplies are wanted
	CUPS           []CUPS // the supplies that are wanted; empty: all
}

// Route says where a source's time series go.
type Route struct {
	// Topic of the time series.
	Topic string `json:"topic"`
	// Tables are the tables that readers store rows in; {prop} and {freq}
	// stand for the series' property and resolution.
	Tables []string `json:"tables"`
	// RowKeys are the row's fields that make each table's key.
	RowKeys [][]string `json:"row_keys"`
	// Extra fields are added to each row, the same in all; {cups}, {prop} and
	// {freq} are filled in.
	Extra map[string]string `json:"extra,omitempty"`
}
