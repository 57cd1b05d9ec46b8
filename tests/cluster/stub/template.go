package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// Template is a recorded metrics body, cut so that it can be written again with other values.
type Template struct {
	Name  string // as asked for: "vllm-0.20.2"
	Lines []Line
	Fresh []Line // what the engine shows before its first request; nil where that is no different
}

// Line is one line of an exposition: a comment as it stands, or a sample in its parts.
type Line struct {
	Text   string // the whole line of a comment
	Name   string // empty for a comment
	Labels []Label
	Value  string
}

// Label is one pair of a sample, with the value as it was escaped.
type Label struct{ Key, Value string }

// Get returns the value of a label, or "".
func (l Line) Get(key string) string {
	for _, label := range l.Labels {
		if label.Key == key {
			return label.Value
		}
	}
	return ""
}

var (
	sampleForm = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	labelForm  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?`)
)

// LoadTemplate reads the recorded body called name: NAME.txt, or NAME-busy.txt, which has every series.
// NAME-fresh.txt beside it is the body before the first request; a role speaks in that of its engine.
func LoadTemplate(folder, name string) (*Template, error) {
	base := strings.TrimSuffix(strings.TrimSuffix(name, ".txt"), "-busy")
	text, err := os.ReadFile(filepath.Join(folder, base+"-busy.txt"))
	if os.IsNotExist(err) {
		text, err = os.ReadFile(filepath.Join(folder, base+".txt"))
	}
	if err != nil {
		return nil, fmt.Errorf("no body %q in %s; there are: %s", name, folder, strings.Join(bodyNames(folder), " "))
	}
	template := &Template{Name: base, Lines: parseBody(string(text))}
	engine, role := cutRole(base)
	if fresh, err := os.ReadFile(filepath.Join(folder, engine+"-fresh.txt")); err == nil {
		if role != "" {
			fresh = bytes.ReplaceAll(fresh, []byte(`engine_type="unified"`), []byte(`engine_type="`+role+`"`))
		}
		template.Fresh = parseBody(string(fresh))
	}
	return template, nil
}

// cutRole takes "sglang-0.5.12-prefill" apart.
func cutRole(name string) (engine, role string) {
	for _, role := range []string{"prefill", "decode"} {
		if engine, cut := strings.CutSuffix(name, "-"+role); cut {
			return engine, role
		}
	}
	return name, ""
}

func bodyNames(folder string) []string {
	paths, _ := filepath.Glob(filepath.Join(folder, "*.txt"))
	names := make([]string, 0, len(paths))
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".txt"), "-busy"))
	}
	return names
}

// Version returns what follows the engine's name: "0.20.2" of "vllm-0.20.2-nostats".
func (t *Template) Version() string {
	parts := strings.Split(t.Name, "-")
	if len(parts) < 2 {
		return "0"
	}
	return parts[1]
}

func parseBody(text string) []Line {
	lines := []Line{}
	if text == "" {
		return lines
	}
	for _, raw := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		found := sampleForm.FindStringSubmatch(raw)
		if found == nil {
			lines = append(lines, Line{Text: raw})
			continue
		}
		line := Line{Name: found[1], Value: found[3]}
		for _, pair := range labelForm.FindAllStringSubmatch(found[2], -1) {
			line.Labels = append(line.Labels, Label{pair[1], pair[2]})
		}
		lines = append(lines, line)
	}
	return lines
}

// write appends the line in the exposition format.
func (l Line) write(out *strings.Builder) {
	if l.Name == "" {
		out.WriteString(l.Text)
		out.WriteByte('\n')
		return
	}
	out.WriteString(l.Name)
	if len(l.Labels) > 0 {
		for i, label := range l.Labels {
			out.WriteByte("{,"[min(i, 1)])
			out.WriteString(label.Key)
			out.WriteString(`="`)
			out.WriteString(label.Value)
			out.WriteByte('"')
		}
		out.WriteByte('}')
	}
	out.WriteByte(' ')
	out.WriteString(l.Value)
	out.WriteByte('\n')
}

// formatLike writes a value as the engine wrote it in the recording: C++, Go and Rust print whole numbers bare.
func formatLike(recorded string, value float64) string {
	text := formatFloat(value)
	if strings.ContainsAny(recorded, ".eN") || math.IsInf(value, 0) || value != math.Trunc(value) {
		return text
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// formatFloat writes a value as the Python client does: "8.0", "1.7955e+09".
func formatFloat(value float64) string {
	switch {
	case math.IsInf(value, 1):
		return "+Inf"
	case math.IsInf(value, -1):
		return "-Inf"
	case math.IsNaN(value):
		return "NaN"
	}
	if size := math.Abs(value); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.FormatFloat(value, 'e', -1, 64)
	}
	text := strconv.FormatFloat(value, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	if dot := strings.Index(text, "."); value > 0 && dot > 6 {
		mantissa := strings.TrimRight(text[:1]+"."+text[1:dot]+text[dot+1:], "0.")
		return fmt.Sprintf("%se+%02d", mantissa, dot-1)
	}
	return text
}

// sortedBounds returns the bucket bounds of histogram name among lines, upwards and without repeats.
func sortedBounds(lines []Line, name string) []float64 {
	seen := map[float64]bool{}
	bounds := []float64{}
	for _, line := range lines {
		if line.Name != name+"_bucket" {
			continue
		}
		if bound, err := strconv.ParseFloat(line.Get("le"), 64); err == nil && !seen[bound] {
			seen[bound] = true
			bounds = append(bounds, bound)
		}
	}
	sort.Float64s(bounds)
	return bounds
}
