// Command oracle says what prometheus-adapter would make of a configuration file, by the adapter's own code.
//
// It reads one JSON object a line, with the file's text, a series as Prometheus has it and the names of pods:
//
//	{"config": "rules: ...", "series": "vllm:num_requests_waiting", "labels": {"pod": "a"}, "namespace": "x", "pods": ["a"]}
//
// and answers each with one line: why the adapter would not start with the file, or for every rule the selector that
// it lists series by, the name and the resources of the series in the metrics API, and the query for those pods.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	pmodel "github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	prom "sigs.k8s.io/prometheus-adapter/pkg/client"
	"sigs.k8s.io/prometheus-adapter/pkg/config"
	"sigs.k8s.io/prometheus-adapter/pkg/naming"
)

type question struct {
	Config    string          `json:"config"`
	Series    string          `json:"series"`
	Labels    pmodel.LabelSet `json:"labels"`
	Namespace string          `json:"namespace"`
	Pods      []string        `json:"pods"`
}

type answer struct {
	Error string `json:"error,omitempty"`
	Rules []rule `json:"rules"`
}

type rule struct {
	Selector  string   `json:"selector"`
	Name      string   `json:"name"`
	Resources []string `json:"resources"`
	Query     string   `json:"query"`
}

var pods = schema.GroupResource{Resource: "pods"}

func main() {
	log.SetFlags(0)
	lines, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	mapper := coreMapper()
	for {
		asked := question{}
		if err := lines.Decode(&asked); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		given := answer{Rules: []rule{}}
		if err := given.fill(asked, mapper); err != nil {
			given = answer{Error: err.Error(), Rules: []rule{}}
		}
		if err := answers.Encode(given); err != nil {
			log.Fatal(err)
		}
	}
}

// fill does what the adapter does at its start (cmd/adapter), at a listing and for a request (pkg/custom-provider).
func (a *answer) fill(asked question, mapper apimeta.RESTMapper) error {
	loaded, err := config.FromYAML([]byte(asked.Config))
	if err != nil {
		return err
	}
	namers, err := naming.NamersFromConfig(loaded.Rules, mapper)
	if err != nil {
		return err
	}
	series := prom.Series{Name: asked.Series, Labels: asked.Labels}
	for _, namer := range namers {
		found := rule{Selector: string(namer.Selector()), Resources: []string{}}
		a.Rules = append(a.Rules, found)
		if len(namer.FilterSeries([]prom.Series{series})) == 0 {
			continue
		}
		if found.Name, err = namer.MetricNameForSeries(series); err != nil {
			return err
		}
		resources, _ := namer.ResourcesForSeries(series)
		for _, resource := range resources {
			found.Resources = append(found.Resources, resource.String())
		}
		query, err := namer.QueryForSeries(series.Name, pods, asked.Namespace, labels.Everything(), asked.Pods...)
		if err != nil {
			return err
		}
		found.Query = string(query)
		a.Rules[len(a.Rules)-1] = found
	}
	return nil
}

// coreMapper knows the kinds of the core group, which discovery tells the adapter of in a cluster.
func coreMapper() apimeta.RESTMapper {
	mapper := apimeta.NewDefaultRESTMapper([]schema.GroupVersion{corev1.SchemeGroupVersion})
	for _, kind := range []string{"Pod", "Service"} {
		mapper.Add(corev1.SchemeGroupVersion.WithKind(kind), apimeta.RESTScopeNamespace)
	}
	for _, kind := range []string{"Namespace", "Node"} {
		mapper.Add(corev1.SchemeGroupVersion.WithKind(kind), apimeta.RESTScopeRoot)
	}
	return mapper
}
