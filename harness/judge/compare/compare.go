// Package compare puts two versions of a Go package side by side: declaration by
// declaration, and not line by line. Two people who solve the same task write other
// lines, but the functions are the same.
package compare

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Part is a declaration at the top of a file: a function, a method, a type, or a
// group of constants or variables.
type Part struct {
	Name string // "Writer.Send"
	File string
	Line int
	Text string // with its comment
	// Offset is where that begins in the file.
	Offset int
	Func   bool // it is a function or a method
}

// Pair is the same declaration in both versions. One that only one of them has is nil
// in the other.
type Pair struct {
	Name           string
	Yours, Another *Part
}

// Same says that both versions have the same text.
func (p Pair) Same() bool {
	return p.Yours != nil && p.Another != nil && p.Yours.Text == p.Another.Text
}

// Alike says that both versions have the same code, whatever their comments are.
func (p Pair) Alike() bool {
	return p.Yours != nil && p.Another != nil && p.Yours.Code() == p.Another.Code()
}

// Code is the declaration without its comments, as gofmt writes it.
func (p Part) Code() string {
	const before = "package p\n"
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, "", before+p.Text, parser.SkipObjectResolution) // without comments
	var out bytes.Buffer
	if err == nil {
		err = format.Node(&out, set, f)
	}
	if err != nil {
		return p.Text
	}
	// Where a comment stood alone an empty line may be left.
	var lines []string
	all := strings.Split(strings.TrimSpace(strings.TrimPrefix(out.String(), before)), "\n")
	for i, line := range all {
		opens := i > 0 && opening.MatchString(all[i-1])
		closes := i+1 < len(all) && closing.MatchString(all[i+1])
		if line == "" && (opens || closes) {
			continue
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

var (
	opening = regexp.MustCompile(`[{(:]$|^$`)
	closing = regexp.MustCompile(`^\s*([})]|case |default:)`)
)

// Pairs pairs the declarations of two packages, which are files by their names. They
// come in the order of the other version; what only yours has comes at the end.
func Pairs(yours, another map[string][]byte) ([]Pair, error) {
	mine, err := parts(yours)
	if err != nil {
		return nil, err
	}
	theirs, err := parts(another)
	if err != nil {
		return nil, err
	}
	var pairs []Pair
	for _, t := range theirs {
		pair := Pair{Name: t.Name, Another: &t}
		if i := slices.IndexFunc(mine, func(m Part) bool { return m.Name == t.Name }); i >= 0 {
			pair.Yours = &mine[i]
		}
		pairs = append(pairs, pair)
	}
	for _, m := range mine {
		if !slices.ContainsFunc(theirs, func(t Part) bool { return t.Name == m.Name }) {
			pairs = append(pairs, Pair{Name: m.Name, Yours: &m})
		}
	}
	return pairs, nil
}

// parts are the declarations of a package, but for its imports.
func parts(files map[string][]byte) ([]Part, error) {
	var all []Part
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, files[name], parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			what := Name(d)
			if what == "" {
				continue
			}
			from, to := d.Pos(), d.End()
			if doc := docOf(d); doc != nil {
				from = doc.Pos()
			}
			at := set.Position(from).Offset
			text := files[name][at:set.Position(to).Offset]
			_, fn := d.(*ast.FuncDecl)
			if specs := group(d); len(specs) > 1 {
				for _, spec := range specs {
					from, to := set.Position(spec.Pos()), set.Position(spec.End())
					text := d.(*ast.GenDecl).Tok.String() + " " + string(files[name][from.Offset:to.Offset])
					all = append(all, Part{Name: nameOf(spec), File: name, Line: from.Line, Text: text, Offset: from.Offset})
				}
				continue
			}
			all = append(all, Part{Name: what, File: name, Line: set.Position(d.Pos()).Line, Text: string(bytes.TrimSpace(text)), Offset: at, Func: fn})
		}
	}
	return all, nil
}

// group are the constants, variables or types of a declaration that can stand alone: not
// those that count (iota), or that repeat the line before.
func group(d ast.Decl) []ast.Spec {
	g, is := d.(*ast.GenDecl)
	if !is {
		return nil
	}
	for _, spec := range g.Specs {
		v, is := spec.(*ast.ValueSpec)
		if !is {
			continue
		}
		counts := false
		ast.Inspect(v, func(n ast.Node) bool {
			id, is := n.(*ast.Ident)
			counts = counts || is && id.Name == "iota"
			return true
		})
		if counts || v.Type == nil && len(v.Values) == 0 {
			return nil
		}
	}
	return g.Specs
}

// Name is a declaration's name: "Send", "Writer.Send", "Writer"; that of a group is
// its first name. It is "" for imports.
func Name(d ast.Decl) string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil || len(d.Recv.List) == 0 {
			return d.Name.Name
		}
		return fmt.Sprintf("%s.%s", base(d.Recv.List[0].Type), d.Name.Name)
	case *ast.GenDecl:
		if len(d.Specs) > 0 {
			return nameOf(d.Specs[0])
		}
	}
	return ""
}

// nameOf is the name of a type, or the first one of constants or variables.
func nameOf(spec ast.Spec) string {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		return spec.Name.Name
	case *ast.ValueSpec:
		return spec.Names[0].Name
	}
	return ""
}

// base is the name of a receiver's type.
func base(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return base(e.X)
	case *ast.IndexExpr:
		return base(e.X)
	case *ast.Ident:
		return e.Name
	}
	return "?"
}

func docOf(d ast.Decl) *ast.CommentGroup {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Doc
	case *ast.GenDecl:
		return d.Doc
	}
	return nil
}
