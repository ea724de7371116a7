package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ipcworkbook/harness/judge/kept"
)

// store keeps what was proven on this machine, below .workbook: one small file for each
// row. A file that is missing, damaged or cut, or that was written for other inputs,
// proves nothing, and the row is proven anew.
type store struct {
	dir     string
	machine string
}

// record is what such a file holds.
type record struct {
	Chapter string          `json:"chapter"`
	Law     int             `json:"law"`
	What    string          `json:"what"`
	Inputs  string          `json:"inputs"` // the machine's are in it; see key
	Rows    []Row           `json:"rows"`
	Proven  time.Time       `json:"proven"`
	Took    time.Duration   `json:"took"`
	Data    json.RawMessage `json:"data,omitempty"` // what other rows need of it
	Sum     string          `json:"sum"`            // of all of that
}

func openStore(root string) *store {
	return &store{dir: filepath.Join(root, ".workbook", "proofs"), machine: machine()}
}

// key is a name for all that a row depends on.
func (s *store) key(p Proof) string {
	return hash("workbook proof 1", s.machine, p.Chapter, fmt.Sprint(p.Law), p.What, p.Inputs)
}

func (s *store) file(p Proof) string {
	return filepath.Join(s.dir, fmt.Sprintf("%d-%s-%s.json", p.Law, p.Chapter, hash(p.What)[:16]))
}

func hash(texts ...string) string {
	h := sha256.New()
	for _, text := range texts {
		fmt.Fprintf(h, "%q\n", text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sum is the sum of what a record says, whatever its file looks like.
func (r record) sum() string {
	r.Sum = ""
	r.Proven = r.Proven.UTC()
	text, err := json.Marshal(r)
	if err != nil {
		return "" // nothing that was read back has this sum
	}
	return hash(string(text))
}

// read returns what is kept of a row, and whether it still proves it. Of one that does
// not, the time that it took is still of use.
func (s *store) read(p Proof) (r record, proven bool) {
	text, err := os.ReadFile(s.file(p))
	if err != nil || json.Unmarshal(text, &r) != nil || r.Sum == "" || r.Sum != r.sum() {
		return record{}, false
	}
	return r, p.Inputs != "" && r.Inputs == s.key(p)
}

// write keeps a row that was proven.
func (s *store) write(p Proof, rows []Row, data json.RawMessage) error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	r := record{
		Chapter: p.Chapter, Law: p.Law, What: p.What, Inputs: s.key(p), Rows: rows,
		Proven: time.Now().UTC().Round(time.Second), Took: rows[0].Took, Data: data,
	}
	r.Sum = r.sum()
	return kept.File(s.file(p), func(f *os.File) error { return json.NewEncoder(f).Encode(r) })
}

// run is how long the last run of so many rows took.
type run struct {
	Rows int           `json:"rows"`
	Took time.Duration `json:"took"`
	At   time.Time     `json:"at"`
}

func (s *store) runFile(rows int) string {
	return filepath.Join(s.dir, fmt.Sprintf("run-%d.json", rows))
}

func (s *store) lastRun(rows int) (r run, known bool) {
	text, err := os.ReadFile(s.runFile(rows))
	return r, err == nil && json.Unmarshal(text, &r) == nil && r.Took > 0
}

func (s *store) keepRun(r run) error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	return kept.File(s.runFile(r.Rows), func(f *os.File) error { return json.NewEncoder(f).Encode(r) })
}
