package neo4j

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/datadis-engine/datadis/plugins/internal/users"
	"github.com/datadis-engine/datadis/sdk"
	"github.com/datadis-engine/datadis/sdk/password"
)

// DefaultLabel is the label of the nodes that hold Datadis users.
const DefaultLabel = "DatadisSource"

// Source hands over the Datadis users of the nodes with a label: properties
// username, Password (encrypted, see package password), authorized_nif, self
// and cups.
type Source struct {
	client *Client
	label  string
	secret sdk.Secret
	logger func(context.Context) *slog.Logger // for a call
}

// grantQuery reads the nodes with a label. A label cannot be a parameter; this
// one comes from the configuration, and is checked there.
const grantQuery = "MATCH (n:`%s`)" + `
RETURN elementId(n) AS node, n.username AS username, n.Password AS password,
       n.authorized_nif AS authorized_nif, n.self AS self, n.cups AS cups
ORDER BY username, node`

// found is a user as its node has it.
type found struct {
	row   users.Row
	cells users.Cells
	err   error
}

// ListGrants implements [sdk.Source]. A node that cannot be used does not keep
// the others back: they are sent, and the error that follows names the nodes.
func (s *Source) ListGrants(ctx context.Context, send func(sdk.Grant) error) error {
	all, err := s.read(ctx)
	if err != nil {
		return err
	}
	if err := s.decrypt(ctx, all); err != nil {
		return err
	}
	log := s.logger(ctx)
	bad := users.Problems{Limit: users.MaxListed}
	for _, f := range all {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if f.err != nil {
			bad.Add(f.err)
			continue
		}
		for _, warning := range f.row.Warnings {
			log.WarnContext(ctx, "a node looks wrong", "node", f.row.Place, "warning", warning)
		}
		if f.row.WantsNothing() {
			continue
		}
		if err := send(f.row.Grant); err != nil {
			return err
		}
	}
	if err := bad.Join(s.label); err != nil {
		return sdk.Reject("bad_nodes", err)
	}
	return nil
}

// Wanted are the users without their passwords: what the nodes ask for. Nodes
// that cannot be understood are left out.
func (s *Source) Wanted(ctx context.Context) ([]sdk.Grant, error) {
	all, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	var grants []sdk.Grant
	for i := range all {
		all[i].cells.Password = "is not looked at"
		if all[i].understand(); all[i].err == nil {
			all[i].row.Grant.Password = sdk.Secret{}
			grants = append(grants, all[i].row.Grant)
		}
	}
	return grants, nil
}

func (s *Source) read(ctx context.Context) ([]*found, error) {
	var all []*found
	err := s.client.Read(ctx, Statement{Query: fmt.Sprintf(grantQuery, s.label)}, func() { all = nil }, func(r Row) error {
		all = append(all, newFound(r))
		return nil
	})
	return all, err
}

// newFound takes a node's properties as texts. An error names the node and
// quotes nothing of it.
func newFound(r Row) *found {
	f := new(found)
	node, _ := r["node"].(string)
	var errs [5]error
	f.cells.Username, errs[0] = textOf(r, "username")
	f.row.Place = fmt.Sprintf("node %s (username %s)", node, sdk.NIF(strings.TrimSpace(f.cells.Username)).Masked())
	f.cells.Password, errs[1] = textOf(r, "password")
	f.cells.NIFs, errs[2] = textsOf(r, "authorized_nif")
	f.cells.CUPS, errs[3] = textsOf(r, "cups")
	f.cells.Self, errs[4] = textOf(r, "self")
	f.err = users.Placed(f.row.Place, errs[:]...)
	return f
}

// understand makes the grant.
func (f *found) understand() {
	if f.err == nil {
		f.row, f.err = f.cells.Row(f.row.Place)
	}
}

// decrypt makes the passwords, on all cores: each costs some 30 ms.
func (s *Source) decrypt(ctx context.Context, all []*found) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, f := range all {
		if f.err != nil || strings.TrimSpace(f.cells.Password) == "" {
			f.understand()
			continue
		}
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			plain, err := password.Decrypt(s.secret.Reveal(), f.cells.Password)
			if err != nil {
				f.err = users.Placed(f.row.Place, fmt.Errorf("Password cannot be decrypted: %w; look at secret_password", err))
				return nil
			}
			f.cells.Password = plain
			f.understand()
			return nil
		})
	}
	return group.Wait()
}
