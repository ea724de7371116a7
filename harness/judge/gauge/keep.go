package gauge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"golang.org/x/perf/benchfmt"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/kept"
)

// folder is where results are kept, below the workbook's root. Git ignores it.
const folder = ".workbook/bench"

// Paths are the files of one result: as JSON, and in the format of Go benchmarks,
// which benchstat reads.
func Paths(root string, c book.Chapter, impl string) (asJSON, asText string) {
	name := c.Folder()
	if impl != "" {
		name += "@" + notInNames.ReplaceAllString(impl, "-")
	}
	base := filepath.Join(root, folder, name)
	return base + ".json", base + ".txt"
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// Keep writes a result to both files. A file is replaced as a whole or not at all,
// also when this is killed. A result without any figure replaces none.
func Keep(root string, c book.Chapter, r Result) error {
	if !r.measured() {
		return nil
	}
	asJSON, asText := Paths(root, c, r.Impl)
	if err := os.MkdirAll(filepath.Dir(asJSON), 0o755); err != nil {
		return err
	}
	return errors.Join(
		kept.File(asJSON, func(f *os.File) error {
			out := json.NewEncoder(f)
			out.SetIndent("", "  ")
			return out.Encode(r)
		}),
		kept.File(asText, func(f *os.File) error { return WriteBench(f, r) }))
}

// Kept returns the results that were kept, one for each chapter: the learner's if
// there is one, or the newest of another implementation. The chapters are those of
// the book, in its order.
func Kept(root string, chapters []book.Chapter) ([]Result, error) {
	var results []Result
	for _, c := range chapters {
		own, _ := Paths(root, c, "")
		others, err := filepath.Glob(filepath.Join(root, folder, c.Folder()+"@*.json"))
		if err != nil {
			return nil, err
		}
		var found []Result
		for _, path := range append([]string{own}, others...) {
			r, err := Read(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w (to remove the file loses this result, no more)", path, err)
			}
			found = append(found, r)
		}
		if len(found) == 0 {
			continue
		}
		results = append(results, slices.MaxFunc(found, preferred))
	}
	return results, nil
}

// preferred orders results by what a reader wants to see: the learner's before
// another implementation's, a new one before an old one.
func preferred(a, b Result) int {
	switch own := a.Impl == ""; {
	case own == (b.Impl == ""):
		return a.Date.Compare(b.Date)
	case own:
		return 1
	}
	return -1
}

// measured reports whether there is any figure of the code that was judged.
func (r Result) measured() bool {
	return slices.ContainsFunc(r.Benchmarks, func(b Benchmark) bool { return len(b.Measured[Yours].Samples) > 0 })
}

// Read reads a result that was kept.
func Read(path string) (Result, error) {
	var r Result
	text, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(text, &r)
}

// WriteBench writes a result as Go benchmarks print it: one line for each sample.
// The contestant is a configuration key, so `benchstat -col contestant` compares.
func WriteBench(w io.Writer, r Result) error {
	out := benchfmt.NewWriter(w)
	for _, name := range r.names() {
		for _, b := range r.Benchmarks {
			m := b.Measured[name]
			for i, seconds := range m.Samples {
				line := &benchfmt.Result{
					Name:  benchfmt.Name(b.Name),
					Iters: b.Messages,
					Values: []benchfmt.Value{
						{Value: seconds, Unit: "sec/op", OrigValue: seconds * 1e9, OrigUnit: "ns/op"},
						{Value: float64(b.Messages*b.Size) / m.Wholes[i], Unit: "with-start-B/s"},
					},
				}
				if b.Kind == Transfer {
					line.Values = append(line.Values, benchfmt.Value{Value: float64(b.Size) / seconds, Unit: "B/s"})
				}
				for _, c := range [][2]string{
					{"goos", "linux"}, {"cpu", r.Machine.CPU}, {"kernel", r.Machine.Kernel},
					{"chapter", fmt.Sprintf("%02d-%s", r.Chapter, r.Name)}, {"contestant", name},
				} {
					line.Config = append(line.Config, benchfmt.Config{Key: c[0], Value: []byte(c[1]), File: true})
				}
				if err := out.Write(line); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// names are the contestants that measured something, in the order in which they
// are shown.
func (r Result) names() []string {
	names := slices.Clone(Contestants)
	for _, b := range r.Benchmarks {
		for name := range b.Measured {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return !slices.ContainsFunc(r.Benchmarks, func(b Benchmark) bool { return len(b.Measured[name].Samples) > 0 })
	})
}
