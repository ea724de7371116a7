package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
	"sync"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/compare"
	"ipcworkbook/harness/judge/overlay"
)

// reached is which blocks of the reference each step enters.
type reached struct {
	once sync.Once
	err  error
	by   map[int][]int // a step that is not there may enter all
}

// enters proves nothing by itself: it finds what law 3 needs to leave out the steps that
// a mistake does not concern, and that every step was seen.
func (v *verifier) enters(reference overlay.Impl) Proof {
	return Proof{
		What: "which of its blocks each step enters", Inputs: v.sum(),
		Try: func(ctx context.Context, _ uint64) []Row {
			by, err := v.entered(ctx)
			if err != nil {
				return one("", "", err)
			}
			for _, s := range v.chapter.Steps {
				if _, passed := by[s.Number]; !passed && v.lacks(s.Number) == "" {
					return one("", fmt.Sprintf("step %d (%s) did not pass on the reference with marks in its blocks", s.Number, s.Test), nil)
				}
			}
			texts, err := reference.Read()
			if err != nil {
				return one("", "", err)
			}
			blocks, err := check.Blocks(texts)
			var some []int
			for _, entered := range by {
				some = append(some, entered...)
			}
			slices.Sort(some)
			return one(fmt.Sprintf("%d of %d", len(slices.Compact(some)), len(blocks)), "", err)
		},
		data: func() any { return v.reached.by },
		have: func(data []byte) bool {
			var by map[int][]int
			if json.Unmarshal(data, &by) != nil || len(by) == 0 {
				return false
			}
			v.reached.once.Do(func() { v.reached.by = by })
			return true
		},
	}
}

// entered finds it out, once.
func (v *verifier) entered(ctx context.Context) (map[int][]int, error) {
	v.reached.once.Do(func() {
		reference, err := v.reference()
		if err == nil {
			v.reached.by, err = check.Reached(ctx, check.Options{
				Root: v.Root, Chapter: v.chapter, Impl: reference, Seed: 1, From: v.Root, Turns: v.turns,
			})
		}
		v.reached.err = err
	})
	return v.reached.by, v.reached.err
}

// concerned are the steps up to the last one, or all if that is 0, that a variant of the
// reference can change, and the last one. A step that enters none of the blocks in which
// the two differ runs the same statements as on the reference, on which it passes.
//
// How much is allocated may change for a whole function: where a variable is kept
// depends on all that is done with it. So a step that measures that is concerned by the
// function.
func (v *verifier) concerned(ctx context.Context, impl overlay.Impl, last int) ([]int, error) {
	reference, err := v.reference()
	if err != nil {
		return nil, err
	}
	a, err := reference.Read()
	if err != nil {
		return nil, err
	}
	b, err := impl.Read()
	if err != nil {
		return nil, err
	}
	blocks, err := check.Blocks(a)
	if err != nil {
		return nil, err
	}
	changed, inside := changes(a, b, blocks)
	var by map[int][]int
	switch {
	case v.few:
		by = v.reached.by // what is kept, if anything is
	case inside:
		if by, err = v.entered(ctx); err != nil {
			return nil, err
		}
	}
	touches := func(s book.Step, entered []int) bool {
		measures := v.allocates(s)
		return slices.ContainsFunc(entered, func(i int) bool {
			return slices.ContainsFunc(changed, func(c change) bool {
				return c.Func == blocks[i].Func && (measures || c.block < 0 || c.block == i)
			})
		})
	}
	var steps []int
	for _, s := range v.chapter.Steps {
		entered, known := by[s.Number]
		if s.Number == last || (last == 0 || s.Number < last) && (!inside || !known || touches(s, entered)) {
			steps = append(steps, s.Number)
		}
	}
	return steps, nil
}

// allocates says whether a step's test measures how much is allocated.
func (v *verifier) allocates(s book.Step) bool {
	for _, text := range v.chapter.Tests() {
		_, body, found := strings.Cut(string(text), "\nfunc "+s.Test+"(")
		if !found {
			continue
		}
		body, _, _ = strings.Cut(body, "\n}\n")
		return strings.Contains(body, "Alloc")
	}
	return true // it was not found
}

// change is where a variant of the reference differs from it.
type change struct {
	Func  string
	block int // the innermost one that has all of it; -1 for the whole function
}

// changes are the differences between the reference and a variant of it. Inside says
// that they are in functions, and nothing else differs: no type, constant or variable, no
// method more or less, which could fit an interface, no function that runs by itself, and
// no import that could do something by itself.
func changes(reference, variant map[string][]byte, blocks []check.Block) (changed []change, inside bool) {
	if !slices.Equal(slices.Sorted(maps.Keys(reference)), slices.Sorted(maps.Keys(variant))) {
		return nil, false
	}
	for name := range reference {
		if !bytes.Equal(constraints(reference[name]), constraints(variant[name])) {
			return nil, false
		}
	}
	if imports(variant) != imports(reference) && !plainImports(variant) {
		return nil, false
	}
	pairs, err := compare.Pairs(variant, reference)
	if err != nil {
		return nil, false // it does not parse: every step is to say so
	}
	for _, p := range pairs {
		if p.Same() {
			continue
		}
		added := p.Yours == nil || p.Another == nil
		for _, part := range []*compare.Part{p.Yours, p.Another} {
			if part != nil && (!part.Func || p.Name == "init" || added && strings.Contains(p.Name, ".")) {
				return nil, false
			}
		}
		one := change{Func: p.Name, block: -1}
		if !added {
			one.block = innermost(p, blocks)
		}
		changed = append(changed, one)
	}
	return changed, true
}

// innermost finds the smallest block in which two versions of a function differ; -1 if
// there is none, as where its head differs.
func innermost(p compare.Pair, blocks []check.Block) int {
	a, b := p.Another.Text, p.Yours.Text
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	// With a brace too many on one side of it, what differs would be another thing than
	// what stands between the two ends.
	if !closed(a[head:len(a)-tail]) || !closed(b[head:len(b)-tail]) {
		return -1
	}
	from, to := p.Another.Offset+head, p.Another.Offset+len(a)-tail
	best := -1
	for i, block := range blocks {
		if block.File == p.Another.File && block.From <= from && to <= block.To && (best < 0 || block.To-block.From < blocks[best].To-blocks[best].From) {
			best = i
		}
	}
	return best
}

// closed says that every brace and every quote of a text has its partner in it. One in a
// string counts too: then it says no too often, and never yes.
func closed(text string) bool {
	for _, quote := range []string{`"`, "`", "'"} {
		if strings.Count(text, quote)%2 != 0 {
			return false
		}
	}
	if strings.Count(text, "/*") != strings.Count(text, "*/") {
		return false
	}
	depth := map[rune]int{}
	partner := map[rune]rune{'}': '{', ')': '(', ']': '['}
	for _, c := range text {
		switch c {
		case '{', '(', '[':
			depth[c]++
		case '}', ')', ']':
			if depth[partner[c]]--; depth[partner[c]] < 0 {
				return false
			}
		}
	}
	return depth['{'] == 0 && depth['('] == 0 && depth['['] == 0
}

// constraints are the lines before the package clause: build constraints among them.
func constraints(text []byte) []byte {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, "", text, parser.PackageClauseOnly|parser.ParseComments)
	if err != nil {
		return nil
	}
	return text[:set.Position(f.Package).Offset]
}

// imports are all imports of a package's files, in order.
func imports(files map[string][]byte) string {
	var all []string
	eachImport(files, func(i *ast.ImportSpec) { all = append(all, i.Path.Value) })
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

// plainImports says that all imports are of the standard library or of packages that
// the chapters may use, and by name: importing them does nothing by itself.
func plainImports(files map[string][]byte) bool {
	plain := true
	eachImport(files, func(i *ast.ImportSpec) {
		path := strings.Trim(i.Path.Value, `"`)
		known := !strings.Contains(path, ".") && !strings.HasPrefix(path, "ipcworkbook/") || strings.HasPrefix(path, "golang.org/x/sys/") || path == "ipcworkbook/harness/todo"
		plain = plain && known && path != "C" && (i.Name == nil || i.Name.Name != "_" && i.Name.Name != ".")
	})
	return plain
}

func eachImport(files map[string][]byte, show func(*ast.ImportSpec)) {
	for name, text := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			continue
		}
		for _, i := range f.Imports {
			show(i)
		}
	}
}
