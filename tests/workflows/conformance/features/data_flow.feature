Feature: What tasks get and give

  Scenario: A task takes a part of its input
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: input-part, version: '1.0.0'}
      do:
        - note:
            input: {from: .film.director}
            set: {name: "${ . }"}
      """
    And given the workflow input is:
      """yaml
      film: {director: Varda, year: 1962}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      name: Varda
      """

  Scenario: A task gives a part of what it found
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: output-part, version: '1.0.0'}
      do:
        - look:
            call: http
            with:
              method: get
              endpoint: {uri: "https://petstore.swagger.io/v2/pet/{number}"}
            output: {as: .id}
      """
    And given the workflow input is:
      """yaml
      number: 12
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      12
      """

  Scenario: What is no object goes on to the next task
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: no-object, version: '1.0.0'}
      do:
        - first:
            set: {n: 4}
            output: {as: .n}
        - second:
            set: {n: 5}
            output: {as: '[$input, .n]'}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [4, 5]
      """
