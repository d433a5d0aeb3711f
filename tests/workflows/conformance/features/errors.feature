Feature: Errors

  Scenario: Raise fails with its error and says where
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: raise, version: '1.0.0'}
      do:
        - stop:
            raise:
              error: {type: https://studio.example/errors/no-light, status: 409, title: No light}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://studio.example/errors/no-light
      status: 409
      title: No light
      instance: /do/0/stop
      """
    And stop should fault

  Scenario: An error that is caught goes on in what catches it
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: caught, version: '1.0.0'}
      do:
        - careful:
            try:
              - look:
                  call: http
                  with:
                    method: get
                    endpoint: {uri: "https://petstore.swagger.io/v2/pet/byName/{name}"}
            catch:
              errors:
                with: {type: https://serverlessworkflow.io/spec/1.0.0/errors/communication, status: 404}
              as: wrong
              do:
                - note: {set: {error: '${ $wrong }'}}
      """
    And given the workflow input is:
      """yaml
      name: Rex
      """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have properties 'error', 'error.type', 'error.status', 'error.title'
    And the workflow output should have a 'error.instance' property with value:
      """yaml
      /do/0/careful/try/0/look
      """

  Scenario: An error of another kind is not caught
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: uncaught, version: '1.0.0'}
      do:
        - careful:
            try:
              - look:
                  call: http
                  with:
                    method: get
                    endpoint: {uri: "https://petstore.swagger.io/v2/pet/byName/{name}"}
            catch:
              errors:
                with: {type: https://serverlessworkflow.io/spec/1.0.0/errors/communication, status: 503}
      """
    And given the workflow input is:
      """yaml
      name: Rex
      """
    When the workflow is executed
    Then the workflow should fault
    And look should fault
