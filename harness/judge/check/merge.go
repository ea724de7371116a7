package check

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"

	"ipcworkbook/harness/judge/compare"
	"ipcworkbook/harness/judge/overlay"
)

// merged is an implementation and variants of it in one package. A function in which they
// differ has the bodies of all, and a number says which one is entered:
//
//	func (w *Writer) Close() error {
//		switch workbookVariant[1] {
//		case 2: { what the second variant has here }
//		}
//		what the implementation has here
//	}
//
// So what a variant executes is what it executes by itself, and messages name the lines of
// its own files. What a variant declares besides is there for all, if nothing of it runs at the
// start.
type merged struct {
	files map[string]*mergedFile
	added map[string]string // declarations that a variant has more, by name
	count int               // of the variants
}

type mergedFile struct {
	source
	cases   map[string][]string // of the variants, by the function's name
	more    []string            // declarations that the implementation does not have
	imports []string            // and imports
}

// source is a file of a package, parsed.
type source struct {
	text      []byte
	functions map[string]function
	imported  []string // as they are written
	after     int      // the offset at which another import may stand
	rest      []part   // all but imports, bodies and comments
}

// part is one declaration without a body, or what stands for something else that has to be the same.
type part struct {
	code  string   // without comments
	names []string // if another variant may do without it; nil if not
	text  string
	line  int
}

// function is one that has a body.
type function struct {
	text   string
	head   string // what stands before the body
	body   string // what stands between its braces
	line   int    // of the function
	open   token.Position
	puts   []put // what a body in a block of its own has more
	method bool
	again  bool // see declaresAgain
	falls  bool // it has no results, and may end without a return
}

// put is a text that is put in at an offset of the body. It names the variant's number.
type put struct {
	at     int
	format string
}

func parse(name string, text []byte) (source, error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	at := func(p token.Pos) int { return set.Position(p).Offset }
	s := source{text: text, functions: map[string]function{}, after: at(f.Name.End())}
	s.rest = []part{{code: string(text[:at(f.Name.End())])}}
	for _, group := range f.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:") {
				s.rest = append(s.rest, part{code: c.Text})
			}
		}
	}
	for _, i := range f.Imports {
		s.imported = append(s.imported, string(text[at(i.Pos()):at(i.End())]))
	}
	for _, d := range f.Decls {
		text := text[at(d.Pos()):at(d.End())]
		fn, is := d.(*ast.FuncDecl)
		switch g, general := d.(*ast.GenDecl); {
		case general && g.Tok == token.IMPORT:
			s.after = at(g.End())
		case !is || fn.Body == nil || fn.Name.Name == "init" || fn.Name.Name == "_":
			s.rest = append(s.rest, part{compare.Part{Text: string(text)}.Code(), free(g), string(text), set.Position(d.Pos()).Line})
		default:
			s.functions[compare.Name(fn)] = newFunction(set, fn, string(text))
		}
	}
	return s, nil
}

// free returns the names of a declaration that may be there without changing anything for who
// does not use it. There are none where something is computed at the start.
func free(d *ast.GenDecl) (names []string) {
	if d == nil {
		return nil
	}
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			names = append(names, spec.Name.Name)
		case *ast.ValueSpec:
			if d.Tok == token.VAR && len(spec.Values) > 0 {
				return nil
			}
			for _, name := range spec.Names {
				names = append(names, name.Name)
			}
		}
	}
	if slices.ContainsFunc(names, func(name string) bool { return name == "_" || types.Universe.Lookup(name) != nil }) {
		return nil
	}
	return names
}

func newFunction(set *token.FileSet, fn *ast.FuncDecl, text string) function {
	from, shut := set.Position(fn.Pos()), set.Position(fn.Body.Rbrace)
	f := function{text: text, line: from.Line, open: set.Position(fn.Body.Lbrace), method: fn.Recv != nil, falls: fn.Type.Results == nil}
	f.head, f.body = text[:f.open.Offset-from.Offset], text[f.open.Offset+1-from.Offset:shut.Offset-from.Offset]
	add := func(at token.Pos, format string) {
		f.puts = append(f.puts, put{set.Position(at).Offset - f.open.Offset - 1, format})
	}
	// A label is known in a whole function: each body has names of its own.
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		label := (*ast.Ident)(nil)
		switch n := n.(type) {
		case *ast.LabeledStmt:
			label = n.Label
		case *ast.BranchStmt:
			label = n.Label
		}
		if label != nil {
			add(label.End(), "_%[1]d")
		}
		return true
	})
	f.again = declaresAgain(fn, add)
	slices.SortStableFunc(f.puts, func(a, b put) int { return a.at - b.at })
	return f
}

// declaresAgain looks for a statement of the body's own block, as
//
//	n, err := read()
//
// which declares something beside a name that the function's head has. There this is the head's one.
// In a block within the body it would be another one: that one has a name of its own, and is
// assigned to the head's. It reports whether there is one that cannot be written so, since the type
// might be another one.
func declaresAgain(fn *ast.FuncDecl, put func(at token.Pos, format string)) (cannot bool) {
	head := map[string]bool{}
	for _, list := range []*ast.FieldList{fn.Recv, fn.Type.Params, fn.Type.Results} {
		if list == nil {
			continue
		}
		for _, field := range list.List {
			for _, name := range field.Names {
				head[name.Name] = name.Name != "_"
			}
		}
	}
	for _, s := range fn.Body.List {
		for label, is := s.(*ast.LabeledStmt); is; label, is = s.(*ast.LabeledStmt) {
			s = label.Stmt
		}
		a, is := s.(*ast.AssignStmt)
		if !is || a.Tok != token.DEFINE {
			continue
		}
		for _, e := range a.Lhs {
			if name, is := e.(*ast.Ident); is && head[name.Name] {
				put(name.End(), "_%[1]d")
				put(a.End(), "; "+name.Name+" = "+name.Name+"_%[1]d")
				_, call := a.Rhs[0].(*ast.CallExpr)
				cannot = cannot || !call || len(a.Rhs) > 1
			}
		}
	}
	return cannot
}

// clause is the function's body as a case of a switch.
func (f function) clause(number int) string {
	var body strings.Builder
	from := 0
	for _, p := range f.puts {
		body.WriteString(f.body[from:p.at])
		fmt.Fprintf(&body, p.format, number)
		from = p.at
	}
	body.WriteString(f.body[from:])
	if f.falls {
		body.WriteString("\nreturn")
	}
	return fmt.Sprintf("case %d: {/*line :%d:%d*/%s\n}\n", number, f.open.Line, f.open.Column+1, &body)
}

// merge begins with an implementation alone.
func merge(texts map[string][]byte) (*merged, error) {
	m := &merged{files: map[string]*mergedFile{}, added: map[string]string{}}
	for name, text := range texts {
		s, err := parse(name, text)
		if err != nil {
			return nil, err
		}
		m.files[name] = &mergedFile{source: s, cases: map[string][]string{}}
	}
	return m, nil
}

// add adds a variant. It is false, and nothing is added, where more is different than imports,
// what functions do, and what is declared besides.
func (m *merged) add(texts map[string][]byte) bool {
	if !slices.Equal(slices.Sorted(maps.Keys(texts)), slices.Sorted(maps.Keys(m.files))) {
		return false
	}
	var all []func()
	number := m.count + 1
	for name, text := range texts {
		file := m.files[name]
		if bytes.Equal(text, file.text) {
			continue
		}
		s, err := parse(name, text)
		if err != nil {
			return false
		}
		more, fits := s.more(file.source)
		own := map[string]bool{} // the names of more
		for _, p := range more {
			for _, name := range p.names {
				fits = fits && (m.added[name] == "" || m.added[name] == p.code)
				own[name] = true
			}
		}
		if !fits {
			return false
		}
		all = append(all, func() {
			for _, p := range more {
				file.declare(m.added, p.names, p.code, p.line, p.text)
			}
		})
		for name, f := range s.functions {
			was, there := file.functions[name]
			switch {
			case f.text == was.text:
			case there && f.head == was.head && !f.again:
				all = append(all, func() { file.cases[name] = append(file.cases[name], f.clause(number)) })
			case !there && f.isFree(name, own) && (m.added[name] == "" || m.added[name] == f.text):
				all = append(all, func() { file.declare(m.added, []string{name}, f.text, f.line, f.text) })
			default:
				return false
			}
		}
		all = append(all, func() { file.imports = append(file.imports, s.imported...) })
	}
	for _, add := range all {
		add()
	}
	m.count = number
	return true
}

// more returns what a source declares besides what another one does. Without that they have to be
// the same.
func (s source) more(than source) (more []part, fits bool) {
	same := 0
	for _, p := range s.rest {
		switch {
		case same < len(than.rest) && p.code == than.rest[same].code:
			same++
		case p.names != nil:
			more = append(more, p)
		default:
			return nil, false
		}
	}
	return more, same == len(than.rest)
}

// isFree says that a function may be there without changing anything for who does not call it. A
// method may make its type fit to an interface, unless nobody else knows of it or of the type.
func (f function) isFree(name string, own map[string]bool) bool {
	if !f.method {
		return types.Universe.Lookup(name) == nil
	}
	of, method, _ := strings.Cut(name, ".")
	return own[of] || !token.IsExported(method)
}

// declare adds a declaration, if it is not there yet.
func (f *mergedFile) declare(added map[string]string, names []string, code string, line int, text string) {
	if added[names[0]] == "" {
		f.more = append(f.more, fmt.Sprintf("/*line :%d:1*/%s\n", line, text))
	}
	for _, name := range names {
		added[name] = code
	}
}

// impl is the package. The mark is found in its binary again, before the number.
func (m *merged) impl(name, pkg string, mark uint64) overlay.Impl {
	texts := map[string][]byte{"workbook_variant.go": fmt.Appendf(nil, "package %s\n\nvar workbookVariant = [2]uint64{%#x, 0}\n", pkg, mark)}
	for name, f := range m.files {
		texts[name] = f.source.with(f.cases, f.imports, f.more)
	}
	return overlay.Memory(name, texts)
}

// with is the file with the variants' cases, imports and functions.
func (s source) with(cases map[string][]string, imports, more []string) []byte {
	var out bytes.Buffer
	out.Write(s.text[:s.after])
	for _, i := range slices.Compact(slices.Sorted(slices.Values(imports))) {
		if !slices.Contains(s.imported, i) {
			fmt.Fprintf(&out, "; import %s", i)
		}
	}
	from := s.after
	changed := slices.SortedFunc(maps.Keys(cases), func(a, b string) int {
		return s.functions[a].open.Offset - s.functions[b].open.Offset
	})
	for _, name := range changed {
		f := s.functions[name]
		out.Write(s.text[from : f.open.Offset+1])
		fmt.Fprintf(&out, "switch workbookVariant[1] {\n%s}\n/*line :%d:%d*/", strings.Join(cases[name], ""), f.open.Line, f.open.Column+1)
		from = f.open.Offset + 1
	}
	out.Write(s.text[from:])
	out.WriteString("\n" + strings.Join(more, ""))
	return out.Bytes()
}
