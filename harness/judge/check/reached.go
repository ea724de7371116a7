package check

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"ipcworkbook/harness/judge/compare"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

// Block is a list of statements that is entered as a whole: the body of a function, of an
// if, of a loop, of a case.
type Block struct {
	File     string
	From, To int    // its text, as offsets in the file, without braces
	Func     string // the declaration that it is in: "Reader.Recv"
}

// Blocks are the blocks of an implementation's functions, in the order of the files.
func Blocks(texts map[string][]byte) (all []Block, err error) {
	for _, file := range slices.Sorted(maps.Keys(texts)) {
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, file, texts[file], parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		at := func(p token.Pos) int { return set.Position(p).Offset }
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			add := func(from, to token.Pos) {
				all = append(all, Block{File: file, From: at(from), To: at(to), Func: compare.Name(fn)})
			}
			clauses := map[*ast.BlockStmt]bool{} // bodies that hold clauses and no statements
			ast.Inspect(fn, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SwitchStmt:
					clauses[n.Body] = true
				case *ast.TypeSwitchStmt:
					clauses[n.Body] = true
				case *ast.SelectStmt:
					clauses[n.Body] = true
				case *ast.BlockStmt:
					if !clauses[n] {
						add(n.Lbrace+1, n.Rbrace)
					}
				case *ast.CaseClause:
					add(n.Colon+1, n.End())
				case *ast.CommClause:
					add(n.Colon+1, n.End())
				}
				return true
			})
		}
	}
	return all, nil
}

// Reached says which blocks of an implementation each step entered, in any of its
// processes: by the steps' numbers, as indices of [Blocks]. A step that did not pass is
// not there: of it nothing is known. The steps run twice, with other random numbers.
//
// Go's own coverage is not used. It is written at the end of a process, and many of ours
// end by SIGKILL; and together with -overlay it can count another package than it says
// (golang/go#73802). So each block begins with a mark in memory that its processes
// share with a file.
func Reached(ctx context.Context, o Options) (map[int][]int, error) {
	marked, blocks, err := mark(o.Impl, o.Chapter.Name)
	if err != nil {
		return nil, err
	}
	o.Impl = marked
	b, err := Build(ctx, o)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	if b.broken.Verdict != "" {
		return nil, fmt.Errorf("with its marks it does not build: %s", b.broken.Message)
	}
	b.marks = blocks
	for _, s := range o.Chapter.Steps {
		if err := os.WriteFile(b.marksOf(s.Number), make([]byte, b.marks), 0o600); err != nil {
			return nil, err
		}
	}
	passed := map[int]int{}
	const runs = 2
	for seed := range uint64(runs) {
		r, err := b.Run(ctx, o.Seed+seed)
		if err != nil {
			return nil, err
		}
		for _, s := range r.Steps {
			if s.Verdict == verdict.Pass {
				passed[s.Number]++
			}
		}
	}
	reached := map[int][]int{}
	for step, n := range passed {
		if n < runs {
			continue
		}
		marks, err := os.ReadFile(b.marksOf(step))
		if err != nil {
			return nil, err
		}
		entered := []int{}
		for i, m := range marks {
			if m != 0 {
				entered = append(entered, i)
			}
		}
		reached[step] = entered
	}
	return reached, nil
}

// marksOf is the file with the marks of one step.
func (b *Built) marksOf(step int) string {
	return filepath.Join(b.tmp, fmt.Sprintf("reached-%d", step))
}

// markEnv names that file to the step's processes.
const markEnv = "WORKBOOK_REACHED"

// mark returns the implementation with a mark at the beginning of each block, and how
// many there are. No line moves.
func mark(impl overlay.Impl, pkg string) (overlay.Impl, int, error) {
	texts, err := impl.Read()
	if err != nil {
		return impl, 0, err
	}
	blocks, err := Blocks(texts)
	if err != nil {
		return impl, 0, err
	}
	for file, text := range texts {
		order := make([]int, 0, len(blocks))
		for i, b := range blocks {
			if b.File == file {
				order = append(order, i)
			}
		}
		slices.SortFunc(order, func(i, j int) int { return cmp.Compare(blocks[i].From, blocks[j].From) })
		var out bytes.Buffer
		from := 0
		for _, i := range order {
			out.Write(text[from:blocks[i].From])
			fmt.Fprintf(&out, " workbookReached[%d] = 1; ", i)
			from = blocks[i].From
		}
		out.Write(text[from:])
		texts[file] = out.Bytes()
	}
	texts["workbook_reached.go"] = fmt.Appendf(nil, marksFile, pkg, len(blocks), markEnv)
	return overlay.Memory(impl.Name, texts), len(blocks), nil
}

// marksFile is the file that an implementation with marks has one more. The memory is
// there before any function is entered: Go initialises what a function refers to first.
const marksFile = `package %s

import (
	"os"
	"syscall"
)

var workbookReached = func() []byte {
	const n = %d
	fd, err := syscall.Open(os.Getenv(%q), syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return make([]byte, n) // a process without the step's environment
	}
	defer syscall.Close(fd)
	marks, err := syscall.Mmap(fd, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return make([]byte, n)
	}
	return marks
}()
`
