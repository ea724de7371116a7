package verify

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/compare"
)

// matrix holds the book's kinds of mistakes against the chapter's functions: for each
// pair it names known-wrong solutions that are there, or says why there is none.
func matrix(c book.Chapter, variants []string) (saw, problem string) {
	functions, err := functions(c)
	if err != nil {
		return "", err.Error()
	}
	var problems []string
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	shown, none := 0, 0
	for _, kind := range book.Kinds {
		cells := c.Mistakes[kind.Name]
		times := map[string]int{}
		for _, function := range slices.Sorted(maps.Keys(cells.Shown)) {
			times[function]++
			shown++
			if len(cells.Shown[function]) == 0 {
				say("[%s] %s names no solution", kind.Name, function)
			}
			for _, name := range cells.Shown[function] {
				if !slices.Contains(variants, name) {
					say("[%s] %s: there is no known-wrong solution %q", kind.Name, function, name)
				}
			}
		}
		for _, n := range cells.None {
			if strings.TrimSpace(n.Why) == "" {
				say("[%s] none of %s: why?", kind.Name, strings.Join(n.Of, ", "))
			}
			for _, function := range n.Of {
				times[function]++
				none++
			}
		}
		for _, function := range functions {
			switch {
			case times[function] == 0:
				say("[%s] %s is empty (%s): name a known-wrong solution, or say why there is none", kind.Name, function, kind.Title)
			case times[function] > 1:
				say("[%s] %s is there twice", kind.Name, function)
			}
			delete(times, function)
		}
		for _, function := range slices.Sorted(maps.Keys(times)) {
			say("[%s] %s: the stub declares no such function", kind.Name, function)
		}
	}
	return fmt.Sprintf("%d shown, %d said why not", shown, none), strings.Join(problems, "\n")
}

// functions are the exported functions and methods that the stub declares.
func functions(c book.Chapter) (all []string, err error) {
	for name, text := range c.Stub() {
		if !strings.HasSuffix(name, ".go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			fn, is := d.(*ast.FuncDecl)
			if !is || !fn.Name.IsExported() {
				continue
			}
			name := compare.Name(fn)
			if of, _, method := strings.Cut(name, "."); !method || ast.IsExported(of) {
				all = append(all, name)
			}
		}
	}
	slices.Sort(all)
	return all, nil
}
