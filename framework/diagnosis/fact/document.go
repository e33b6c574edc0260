// SPDX-License-Identifier: Apache-2.0

package fact

import (
	"encoding/json"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

// longestDocument bounds what is kept of a YAML or JSON document; longer ones
// are read for wordings only.
const longestDocument = 8 << 20

// documentParser finds YAML and JSON documents among the lines of a file and
// reads Kubernetes objects and CNI configurations from them.
type documentParser struct {
	facts *Facts
	file  string
	lines []string
	size  int
	first Quote
	json  bool
	// heading is the file that announced was last: "### cat /etc/cni/...", and
	// headed that line.
	heading string
	headed  Quote
}

var (
	yamlStart   = regexp.MustCompile(`^(?:apiVersion|kind): ?\S`)
	fileHeading = regexp.MustCompile(`^(?:===|###|==>|#|\$|---|//)+ *(?:cat +)?(/[\w./@-]+)(?: <==)?\s*$`)
	notYAML     = regexp.MustCompile(`^(?:###|===|==>|\$ |---|\.\.\.)`)
)

func (p *documentParser) line(q Quote) {
	if len(p.lines) == 0 {
		p.begin(q)
		return
	}
	ends := p.json && (q.Text == "}" || strings.HasPrefix(q.Text, "}#") || strings.HasPrefix(q.Text, "}="))
	if ends {
		p.lines = append(p.lines, "}")
		p.end()
		p.begin(Quote{File: q.File, Line: q.Line, Text: strings.TrimPrefix(q.Text, "}")})
		return
	}
	if notYAML.MatchString(q.Text) || !p.json && yamlStart.MatchString(q.Text) && strings.HasPrefix(q.Text, "apiVersion") {
		p.end()
		p.begin(q)
		return
	}
	p.keep(q.Text)
}

// open tells that a document has begun and not ended.
func (p *documentParser) open() bool { return len(p.lines) > 0 }

func (p *documentParser) begin(q Quote) {
	text := q.Text
	if m := fileHeading.FindStringSubmatch(text); m != nil {
		p.heading, p.headed = m[1], q
		return
	}
	switch {
	case yamlStart.MatchString(text):
		p.json = false
	case strings.HasPrefix(text, "{"):
		p.json = true
	default:
		return
	}
	p.first, p.size = q, 0
	p.keep(text)
	if p.json && json.Valid([]byte(text)) {
		p.end()
	}
}

func (p *documentParser) keep(text string) {
	if p.size += len(text) + 1; p.size > longestDocument {
		p.lines = nil
		return
	}
	p.lines = append(p.lines, text)
}

// end reads what was gathered.
func (p *documentParser) end() {
	if len(p.lines) == 0 {
		return
	}
	text := strings.Join(p.lines, "\n")
	whole := &document{file: p.file, first: p.first.Line, lines: p.lines}
	p.lines = nil
	if path := p.configPath(); p.json && path != "" {
		config := parseNetworkConfig(path, text, p.first)
		if config.Err == nil && p.heading != "" {
			config.Quote = p.headed
		}
		p.facts.Configs = append(p.facts.Configs, config)
		p.heading = ""
		return
	}
	data := []byte(text)
	if !p.json {
		converted, err := yaml.YAMLToJSON(data)
		if err != nil {
			return
		}
		data = converted
	}
	if p.json {
		p.facts.readPluginVersions(data, p.first)
	}
	p.facts.addObject(data, whole)
}

// configPath returns the CNI configuration file the document is from, empty
// when it is from none.
func (p *documentParser) configPath() string {
	for _, path := range []string{p.heading, p.file} {
		if !IsNetworkConfig(path) || !strings.Contains(path, "net.d/") {
			continue
		}
		if _, onNode, found := strings.Cut(path, "/files/"); found {
			return "/" + onNode
		}
		if at := strings.Index(path, "/etc/"); at >= 0 {
			return path[at:]
		}
		return path
	}
	return ""
}

// document is the text an object was read from, to quote it.
type document struct {
	file  string
	first int
	lines []string
	// at is where the last object found begins: objects of a list are asked
	// for in their order.
	at int
}

// quote finds the line that names an object and, from there on, the first of
// the keys that the object has; the key's line is quoted where there is one.
func (d *document) quote(name string, keys ...string) Quote {
	at := d.find(name)
	if at < 0 {
		return Quote{File: d.file, Line: d.first, Text: strings.TrimSpace(d.lines[0])}
	}
	best := at
search:
	for i := at; i < len(d.lines); i++ {
		key, _, _ := strings.Cut(strings.Trim(d.lines[i], " -\t"), ":")
		key = strings.Trim(key, `"`)
		if i > at && key == "apiVersion" {
			break
		}
		for _, k := range keys {
			if key == k {
				best = i
				break search
			}
		}
	}
	return Quote{File: d.file, Line: d.first + best, Text: strings.TrimSpace(d.lines[best])}
}

func (d *document) find(name string) int {
	for offset := range d.lines {
		i := (d.at + offset) % len(d.lines)
		key, value, found := strings.Cut(strings.TrimSpace(d.lines[i]), ":")
		if found && strings.Trim(key, `"`) == "name" && strings.Trim(value, ` ",`) == name {
			d.at = i
			return i
		}
	}
	return -1
}
