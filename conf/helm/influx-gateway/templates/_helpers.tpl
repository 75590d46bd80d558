{{- define "influx-gateway.labels" -}}
app.kubernetes.io/name: influx-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "influx-gateway.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
