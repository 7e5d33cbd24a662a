package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/datadis-engine/datadis/sdk"
)

// HarmonizeSupplies implements [sdk.SupplyHarmonizer]. It rewrites the table of
// each source once for a batch, with all the supplies that it had.
func (h *harmonizer) HarmonizeSupplies(ctx context.Context, batch sdk.Batch[sdk.Supply]) (sdk.Result, error) {
	unlock, err := h.lock(ctx)
	if err != nil {
		return sdk.Result{}, h.failed(err)
	}
	defer unlock()
	bySource := map[string][]*sdk.Supply{}
	var result sdk.Result
	for i := range batch.Items {
		supply := &batch.Items[i]
		if r := h.refuseSupply(supply); r != nil {
			r.Item = i
			result.Items = append(result.Items, *r)
			continue
		}
		for _, source := range supply.Sources {
			if h.config.takes(source) {
				bySource[source] = append(bySource[source], supply)
			}
		}
	}
	s := &swap{root: h.root, disk: h.disk}
	defer s.discard()
	for source, supplies := range bySource {
		if err := h.stageSupplies(s, filepath.Join(h.root, source), supplies); err != nil {
			return sdk.Result{}, h.failed(err)
		}
	}
	if err := s.commit(); err != nil {
		return sdk.Result{}, h.failed(err)
	}
	return result, nil
}

// refuseSupply says why a supply cannot be written; nil, if it can.
func (h *harmonizer) refuseSupply(s *sdk.Supply) *sdk.ItemResult {
	wanted := false
	for _, source := range s.Sources {
		if !sourceName.MatchString(source) {
			return rejected(badSource, "one of its sources has a name that cannot be a folder")
		}
		wanted = wanted || h.config.takes(source)
	}
	switch {
	case !wanted:
		return &sdk.ItemResult{Verdict: sdk.Skipped, Reason: otherSource, Message: "none of its sources is configured here"}
	case !plainCUPS(s.CUPS):
		return rejected(badCUPS, "its CUPS is not made of up to 64 letters and digits")
	}
	return nil
}

// suppliesName is the table of a source's supplies, without its format.
const suppliesName = "supplies"

// stateName is the file that the table is made from: one supply on each line,
// with everything that the engine said about it.
const stateName = ".supplies.jsonl"

// supplyKey is what a row of the table stands for.
type supplyKey struct {
	cups          sdk.CUPS
	username, nif sdk.NIF
}

func keyOf(s *sdk.Supply) supplyKey { return supplyKey{s.CUPS, s.Username, s.AuthorizedNIF} }

// compare orders the table.
func (k supplyKey) compare(other supplyKey) int {
	return cmp.Or(cmp.Compare(k.cups, other.cups), cmp.Compare(k.username, other.username), cmp.Compare(k.nif, other.nif))
}

// stageSupplies prepares the table of one source. The state comes last: as long
// as it is the old one, a repeated batch writes the others again.
func (h *harmonizer) stageSupplies(s *swap, folder string, news []*sdk.Supply) error {
	state := filepath.Join(folder, stateName)
	all, err := readSupplies(state)
	if err != nil {
		return err
	}
	for _, supply := range news {
		if old := all[keyOf(supply)]; old == nil || !supply.FetchedAt.Before(old.FetchedAt) {
			all[keyOf(supply)] = supply
		}
	}
	rows := make([]supplyRow, 0, len(all))
	for _, supply := range all {
		rows = append(rows, supplyRow{supply, currentContract(supply.Contracts)})
	}
	slices.SortFunc(rows, func(a, b supplyRow) int { return keyOf(a.supply).compare(keyOf(b.supply)) })
	for _, format := range formats {
		path := filepath.Join(folder, suppliesName+"."+format)
		if !h.config.writes(format) {
			s.remove(path)
			continue
		}
		content, err := h.supplies.encode(format, rows)
		if err != nil {
			return err
		}
		if err := s.add(path, content); err != nil {
			return err
		}
	}
	content, err := encodeSupplies(rows)
	if err != nil {
		return err
	}
	return s.add(state, content)
}

// readSupplies reads the state of a table; an empty one, if there is none.
func readSupplies(path string) (map[supplyKey]*sdk.Supply, error) {
	all := map[supplyKey]*sdk.Supply{}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the state of the supplies: %w", cause(err))
	}
	for d := json.NewDecoder(bytes.NewReader(content)); ; {
		supply := new(sdk.Supply)
		switch err := d.Decode(supply); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			// Going on would drop supplies from the table. The text of the
			// error would quote personal data.
			return nil, sdk.Stop(fmt.Errorf("%s is damaged; remove it, and the supplies of the next run make a new one", stateName))
		}
		all[keyOf(supply)] = supply
	}
}

// encodeSupplies is the state of a table.
func encodeSupplies(rows []supplyRow) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	for _, row := range rows {
		supply := *row.supply
		supply.Raw = nil // the engine has it, and no column shows it
		if err := e.Encode(supply); err != nil {
			return nil, fmt.Errorf("encoding the state of the supplies: %w", err)
		}
	}
	return out.Bytes(), nil
}

// supplyEncoder turns tables of supplies into files. It keeps its buffers.
type supplyEncoder struct {
	csv   []byte
	table *parquetTable[supplyRow]
}

// encode is the content of a file that holds the rows. It stays valid until the
// next call.
func (e *supplyEncoder) encode(format string, rows []supplyRow) ([]byte, error) {
	if format == csvFormat {
		e.csv = appendCSV(e.csv[:0], supplyColumns, rows)
		return e.csv, nil
	}
	if e.table == nil {
		e.table = newParquetTable(supplyColumns)
	}
	return e.table.encode(rows)
}
