// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
)

// File is one piece of evidence to read.
type File struct {
	// Name is how quotes call it; for files of a tree their path.
	Name string
	// Open is called once, when its turn comes.
	Open func() (io.ReadCloser, error)
}

// Tree returns the files of a file system in lexical order. Folders that cannot
// be read are returned as files whose Open fails with the reason.
func Tree(tree fs.FS) []File {
	var files []File
	_ = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			files = append(files, File{name, func() (io.ReadCloser, error) { return nil, err }})
		case entry.Type().IsRegular():
			files = append(files, File{name, func() (io.ReadCloser, error) { return tree.Open(name) }})
		}
		return nil
	})
	return files
}

// ErrEmpty says that an input has no bytes.
var ErrEmpty = errors.New("empty")

// Gather reads the files. What cannot be read is listed in Skipped; Gather
// itself does not fail.
func Gather(files []File) *Facts {
	g := &gathering{facts: &Facts{Files: map[Sort][]string{}}, origins: map[string]origin{}, sayings: map[sayingKey]int{}}
	g.readManifests(files)
	var empty []Skipped
	for _, f := range files {
		base := path.Base(f.Name)
		if notEvidence[base] || path.Base(path.Dir(f.Name)) == "differences" || base == "manifest.json" || base == "check.json" && g.facts.Check != nil {
			continue
		}
		switch err := g.read(f); {
		case errors.Is(err, ErrEmpty):
			empty = append(empty, Skipped{f.Name, err})
		case err != nil:
			g.facts.Skipped = append(g.facts.Skipped, Skipped{f.Name, err})
		}
	}
	if len(g.origins) == 0 { // an empty file among others is no news
		g.facts.Skipped = append(g.facts.Skipped, empty...)
	}
	g.finish(len(files))
	return g.facts
}

// gathering is the work of one Gather.
type gathering struct {
	facts *Facts
	// items are the manifests' items by the file's name.
	items   map[string]item
	origins map[string]origin
	sayings map[sayingKey]int
}

type sayingKey struct {
	wording    *Wording
	file, node string
}

// largestManifest bounds what is read of a manifest or a check's result.
const largestManifest = 16 << 20

func (g *gathering) readManifests(files []File) {
	g.items = map[string]item{}
	for _, f := range files {
		switch path.Base(f.Name) {
		case "manifest.json":
			m, items := readManifest(slurp(f))
			for name, i := range items {
				g.items[path.Join(path.Dir(f.Name), name)] = i
			}
			if m.Started.After(g.facts.Now) {
				g.facts.Now, g.facts.Since = m.Started, m.Subject.Since
			}
			g.facts.Whole = g.facts.Whole || items != nil
		case "check.json":
			if c := readCheck(slurp(f), f.Name); c != nil {
				g.facts.Check = c
			}
		}
	}
}

func slurp(f File) []byte {
	r, err := f.Open()
	if err != nil {
		return nil
	}
	defer r.Close()
	data, _ := io.ReadAll(io.LimitReader(r, largestManifest))
	return data
}

// read takes one file in.
func (g *gathering) read(f File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	in, err := open(r)
	if err != nil {
		return err
	}
	if in.empty {
		return ErrEmpty
	}
	from := originOf(f.Name, g.items[path.Clean(f.Name)])
	g.origins[f.Name] = from
	g.facts.Files[from.sort] = append(g.facts.Files[from.sort], f.Name)
	g.facts.Long = g.facts.Long || !in.small
	reading := newReading(g, from, in.small)
	if err := in.lines(reading.line); err != nil {
		return fmt.Errorf("read %s: %w", f.Name, err)
	}
	reading.end()
	return nil
}

// keep adds a statement to what its file says of its wording.
func (g *gathering) keep(s Statement) {
	key := sayingKey{s.Wording, s.Quote.File, s.Node}
	at, known := g.sayings[key]
	if !known {
		at = len(g.facts.Sayings)
		g.sayings[key] = at
		g.facts.Sayings = append(g.facts.Sayings, Saying{Wording: s.Wording, Node: s.Node, Sort: s.Sort})
	}
	g.facts.Sayings[at].add(s)
}

// finish resolves what needed all files to be read: years, ages, nodes.
func (g *gathering) finish(files int) {
	f := g.facts
	f.Nodes = mergeNodes(f.Nodes)
	f.Pods = mergePods(f.Pods, f.Nodes)
	known := map[string]bool{}
	for _, n := range f.Nodes {
		known[n.Name] = true
	}
	f.Whole = f.Whole || files > 1 && (len(f.Nodes) > 0 || len(f.Files) > 2)
	nodeOf := func(file string) string { return g.origins[file].nodeOf(known) }
	var settled []Saying
	for i := range f.Sayings {
		settled = append(settled, g.settle(f.Sayings[i], nodeOf, known)...)
	}
	f.Sayings = settled
	f.place(nodeOf)
	withoutTwins(f.Filters)
	sort.SliceStable(f.Sayings, func(i, j int) bool { return f.Sayings[i].Last.Before(f.Sayings[j].Last) })
}

// settle gives a saying its times and divides it by node.
func (g *gathering) settle(s Saying, nodeOf func(string) string, known map[string]bool) []Saying {
	now := g.facts.Now
	var divided []Saying
	at := map[string]int{}
	for _, statement := range s.Samples {
		statement.Time = inYear(statement.Time, now)
		if statement.hasAgo && !now.IsZero() {
			statement.Time = now.Add(-statement.ago)
		}
		if !known[statement.Node] {
			statement.Node = g.node(statement, nodeOf)
		}
		i, seen := at[statement.Node]
		if !seen {
			i = len(divided)
			at[statement.Node] = i
			divided = append(divided, Saying{Wording: s.Wording, Node: statement.Node, Sort: s.Sort})
		}
		d := &divided[i]
		d.Samples = append(d.Samples, statement)
		if t := statement.Time; !t.IsZero() {
			if d.First.IsZero() || t.Before(d.First) {
				d.First = t
			}
			if t.After(d.Last) {
				d.Last = t
			}
		}
	}
	return divided
}

// node tells where a statement belongs: where its file is from, else the node
// its pod runs on, else what its line says.
func (g *gathering) node(s Statement, nodeOf func(string) string) string {
	if node := nodeOf(s.Quote.File); node != "" {
		return node
	}
	if s.Pod != "" {
		if p, found := g.facts.PodNamed(s.Pod); found && p.Node != "" {
			return p.Node
		}
	}
	return strings.TrimSpace(s.Node)
}

// place sets the node of facts that a file's place tells.
func (f *Facts) place(nodeOf func(string) string) {
	set := func(node *string, file string) {
		if *node == "" {
			*node = nodeOf(file)
		}
	}
	for i := range f.Links {
		set(&f.Links[i].Node, f.Links[i].Quote.File)
	}
	for i := range f.Addrs {
		set(&f.Addrs[i].Node, f.Addrs[i].Quote.File)
	}
	for i := range f.Routes {
		set(&f.Routes[i].Node, f.Routes[i].Quote.File)
	}
	for i := range f.Sysctls {
		set(&f.Sysctls[i].Node, f.Sysctls[i].Quote.File)
	}
	for _, filter := range f.Filters {
		set(&filter.Node, filter.Quote.File)
	}
	for i := range f.Configs {
		set(&f.Configs[i].Node, f.Configs[i].Quote.File)
	}
	for i := range f.Plugins {
		set(&f.Plugins[i].Node, f.Plugins[i].Quote.File)
	}
	for i := range f.Units {
		set(&f.Units[i].Node, f.Units[i].Quote.File)
	}
	for i := range f.Counters {
		set(&f.Counters[i].Node, f.Counters[i].Quote.File)
	}
	for i := range f.Dirs {
		set(&f.Dirs[i].Node, f.Dirs[i].Quote.File)
	}
}
