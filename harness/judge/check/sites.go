package check

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"
	"unicode"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/compare"
	"ipcworkbook/harness/judge/overlay"
)

// site is a place in a file.
type site struct {
	file string
	line int
	typ  bool // it declares a type
}

// sites are the places of an implementation's declarations by their names: "New",
// "Reader.Recv", "Reader".
type sites map[string]site

// declared returns the name of the function that a message calls "Close". Several
// types may have a method of that name: the message names its type, or the step is
// about that type.
func (s sites) declared(function, message, edit string) string {
	plain, there := s[function]
	if there && !plain.typ {
		return function
	}
	about, _, _ := strings.Cut(edit, ".")
	best, likeness := "", -1
	if there {
		best = function // a type: what is called is a method of that name, if there is one
	}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		of, method, _ := strings.Cut(name, ".")
		if method != function {
			continue
		}
		like := 0
		switch {
		case strings.Contains(message, function+"() of the "+of), strings.Contains(message, function+"() of a "+of):
			like = 4
		case besides(message, function, of):
			like = 3
		case of == about:
			like = 2
		case token.IsExported(of):
			like = 1
		}
		if like > likeness {
			best, likeness = name, like
		}
	}
	return best
}

// besides says that a line of a message names the type beside the function: "Close() by the
// process that has inherited the Listener".
func besides(message, function, of string) bool {
	for line := range strings.Lines(message) {
		if strings.Contains(line, function+"(") && slices.Contains(strings.FieldsFunc(line, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r)
		}), of) {
			return true
		}
	}
	return false
}

// eachFile shows the files of an implementation, parsed, with a way to tell places in
// them. A file that does not parse is left to the compiler.
func eachFile(impl overlay.Impl, show func(f *ast.File, at func(ast.Node) site)) {
	texts, err := impl.Read()
	if err != nil {
		return
	}
	for name, text := range texts {
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		show(f, func(n ast.Node) site { return site{file: impl.Path(name), line: files.Position(n.Pos()).Line} })
	}
}

// declarations finds where an implementation declares its functions, methods and
// types.
func declarations(impl overlay.Impl) sites {
	found := sites{}
	eachFile(impl, func(f *ast.File, at func(ast.Node) site) {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				found[compare.Name(d)] = at(d)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if t, ok := spec.(*ast.TypeSpec); ok {
						place := at(t)
						place.typ = true
						found[t.Name.Name] = place
					}
				}
			}
		}
	})
	return found
}

// signature is a function whose types are other ones than in the stub.
type signature struct{ name, stub, here string }

func (s signature) String() string {
	return fmt.Sprintf("%s has another signature than in the stub, and the tests call it as it is there:\n  in the stub: %s\n  here:        %s\n", s.name, s.stub, s.here)
}

// changedSignatures lists the stub's exported functions that have another signature in
// an implementation.
func changedSignatures(o Options) (changed []signature) {
	stub, here := signatures(overlay.Memory("stub", o.Chapter.Stub())), signatures(o.Impl)
	for _, name := range slices.Sorted(maps.Keys(stub)) {
		if is, there := here[name]; there && is != stub[name] {
			changed = append(changed, signature{name, stub[name], is})
		}
	}
	return changed
}

// signatures are the types of an implementation's functions, without the names of
// parameters.
func signatures(impl overlay.Impl) map[string]string {
	found := map[string]string{}
	eachFile(impl, func(f *ast.File, _ func(ast.Node) site) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.IsExported() {
				found[compare.Name(fn)] = strings.TrimSuffix(fmt.Sprintf("func(%s) (%s)", kinds(fn.Type.Params), kinds(fn.Type.Results)), " ()")
			}
		}
	})
	return found
}

// kinds are the types of a list of parameters, one for each.
func kinds(list *ast.FieldList) string {
	var all []string
	if list != nil {
		for _, field := range list.List {
			for range max(1, len(field.Names)) {
				all = append(all, types.ExprString(field.Type))
			}
		}
	}
	return strings.Join(all, ", ")
}

// Declares reports whether an implementation declares a function or method.
func Declares(impl overlay.Impl, name string) bool {
	_, ok := declarations(impl)[name]
	return ok
}

// Unknown lists the declarations that the steps name and an implementation lacks.
func Unknown(c book.Chapter, impl overlay.Impl) []string {
	var unknown []string
	for _, s := range c.Steps {
		if !Declares(impl, s.Edit) {
			unknown = append(unknown, fmt.Sprintf("step %d: %s", s.Number, s.Edit))
		}
	}
	return unknown
}

// importsC says whether an implementation has cgo in it.
func importsC(impl overlay.Impl) (is bool) {
	eachFile(impl, func(f *ast.File, _ func(ast.Node) site) {
		for _, i := range f.Imports {
			is = is || i.Path.Value == `"C"`
		}
	})
	return is
}

// exits finds where an implementation ends the whole program by itself: os.Exit,
// log.Fatal. What was executed is not known, so only one place tells something.
func exits(impl overlay.Impl) (site, bool) {
	var found []site
	eachFile(impl, func(f *ast.File, at func(ast.Node) site) {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := call.X.(*ast.Ident)
			if ok && slices.Contains([]string{"os.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln"}, pkg.Name+"."+call.Sel.Name) {
				found = append(found, at(call))
			}
			return true
		})
	})
	slices.SortFunc(found, func(a, b site) int { return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line)) })
	if len(found) != 1 {
		return site{}, false
	}
	return found[0], true
}
