package main

import (
	"fmt"
	"time"
	"unsafe"

	autoscaling "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
)

// metric is one metric at one time: which calculation, the replicas of the scale (spec and status), the target and the
// values in thousandths, and the tolerances down and up.
type metric struct {
	Source     string     `json:"source"`
	Current    int32      `json:"current"`
	Status     int32      `json:"status"`
	Target     int64      `json:"target"`
	Tolerances [2]float64 `json:"tolerances"`
	Pods       []pod      `json:"pods"`
	Reading    reading    `json:"reading"`
}

type proposal struct {
	Error    string `json:"error,omitempty"`
	Replicas int32  `json:"replicas"`
	Usage    int64  `json:"usage"`
}

// tolerances is podautoscaler.Tolerances, whose fields cannot be set from outside.
type tolerances struct {
	scaleDown float64
	scaleUp   float64
}

const name = "m"

func (m *metric) calculate() (proposal, error) {
	own := tolerances{m.Tolerances[0], m.Tolerances[1]}
	within := *(*podautoscaler.Tolerances)(unsafe.Pointer(&own))
	if want := fmt.Sprintf("[down:%.1f%%, up:%.1f%%]", own.scaleDown*100, own.scaleUp*100); within.String() != want {
		return proposal{}, fmt.Errorf("the layout of Tolerances has changed: %s is not %s", within, want)
	}
	client := metrics{name: m.Reading}
	calculator := podautoscaler.NewReplicaCalculator(client, podList(m.Pods), time.Minute, time.Minute)
	every, object := labels.Everything(), &autoscaling.CrossVersionObjectReference{Kind: "Namespace", Name: "x"}
	selector := &metav1.LabelSelector{}
	given := proposal{}
	var err error
	switch m.Source {
	case "pods":
		given.Replicas, given.Usage, _, err = calculator.GetMetricReplicas(
			m.Current, m.Target, name, within, "x", every, every)
	case "object":
		given.Replicas, given.Usage, _, err = calculator.GetObjectMetricReplicas(
			m.Current, m.Target, name, within, "x", object, every, every)
	case "object-average":
		given.Replicas, given.Usage, _, err = calculator.GetObjectPerPodMetricReplicas(
			m.Status, m.Target, name, within, "x", object, every)
	case "external":
		given.Replicas, given.Usage, _, err = calculator.GetExternalMetricReplicas(
			m.Current, m.Target, name, within, "x", selector, every)
	case "external-average":
		given.Replicas, given.Usage, _, err = calculator.GetExternalPerPodMetricReplicas(
			m.Status, m.Target, name, within, "x", selector)
	default:
		return given, fmt.Errorf("no such source: %s", m.Source)
	}
	if err != nil {
		return proposal{Error: err.Error()}, nil
	}
	return given, nil
}
